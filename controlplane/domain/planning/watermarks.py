"""Which picture comes into which slot of an output's settings."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.sources import Source, of_watermark
from shared.errors import InvalidField
from shared.jobspec import Output, Settings
from shared.protocol import WatermarkSpec


def check(output: Output, settings: Settings, where: str) -> None:
    """Raises InvalidField where a watermark has no place."""
    if not output.watermarks:
        return
    if settings.video is None:
        raise InvalidField("A sound-only output has no watermarks.", pointer=f"{where}/watermarks")
    slots = [slot.id for slot in settings.video.watermarks]
    for position, mark in enumerate(output.watermarks):
        if mark.preset_watermark_id not in slots:
            known = f"only {', '.join(slots)}" if slots else "none at all"
            detail = f"The settings of this output have no slot {mark.preset_watermark_id!r}, {known}."
            raise InvalidField(detail, pointer=f"{where}/watermarks/{position}/preset_watermark_id")


def of_output(output: Output, settings: Settings, read: Mapping[Source, int]) -> tuple[WatermarkSpec, ...]:
    """What `check` let pass, in the tenant's order."""
    if settings.video is None or not output.watermarks:
        return ()
    slots = {slot.id: slot for slot in settings.video.watermarks}
    return tuple(
        WatermarkSpec(input=read[of_watermark(mark)], slot=slots[mark.preset_watermark_id])
        for mark in output.watermarks
    )


def without_slots(settings: Settings) -> Settings:
    """Once its slots are filled nobody needs them."""
    if settings.video is None or not settings.video.watermarks:
        return settings
    return settings.model_copy(update={"video": settings.video.model_copy(update={"watermarks": ()})})
