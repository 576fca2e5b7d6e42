"""Pictures within a file of sound, which players show while it plays."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from shared.jobspec.codecs import Container
from shared.jobspec.encryption import Decryption
from shared.jobspec.fields import ObjectKey
from shared.jobspec.settings import Settings
from shared.jobspec.sizing import PaddingPolicy, SizingPolicy
from shared.models import Sent

MOST: Final = 20
CARRIERS: Final = {
    Container.FLAC: MOST,
    Container.MP3: MOST,
    Container.MP4: MOST,
    Container.OGA: 1,
    Container.OGG: 1,
}
"""How many pictures a file of sound holds."""


class MergePolicy(StrEnum):
    REPLACE = "replace"  # only what the job names; nothing, where it names nothing
    PREPEND = "prepend"  # what it names, then what the input has
    APPEND = "append"  # what the input has, then what it names
    FALLBACK = "fallback"  # what it names, only where the input has none


class Artwork(Sent):
    input_key: Annotated[ObjectKey, Field(pattern=r"\.(jpe?g|png)$")] = Field(
        description="A png or jpg in the pipeline's input bucket."
    )
    max_width: Annotated[int, Field(ge=16, le=4096)] | Literal["auto"] = Field("auto", description="600 with auto.")
    max_height: Annotated[int, Field(ge=16, le=4096)] | Literal["auto"] = Field("auto", description="600 with auto.")
    sizing_policy: SizingPolicy = Field(
        SizingPolicy.SHRINK_TO_FIT, description="How the picture meets `max_width` and `max_height`."
    )
    padding_policy: PaddingPolicy = Field(PaddingPolicy.NO_PAD, description="With Pad, bars are white.")
    format: Literal["jpg", "png"] | None = Field(None, description="That of the picture when null.")
    encryption: Decryption | None = Field(None, description="How the picture is encrypted.")


class AlbumArt(Sent):
    merge_policy: MergePolicy = Field(
        MergePolicy.REPLACE, description="What becomes of the pictures that the input has."
    )
    artwork: tuple[Artwork, ...] = Field(
        (), fail_fast=True, max_length=MOST, description="Pictures, the first of them the cover."
    )


def unfit(art: AlbumArt, settings: Settings) -> tuple[str, str] | None:
    """Which field does not go with the settings, and why not; or None."""
    if settings.video is not None:
        return "", "Only outputs without video carry album art."
    most = CARRIERS.get(settings.container, 0)
    if most == 0:
        return "", f"{settings.container} carries no album art."
    if len(art.artwork) > most:
        return f"/artwork/{most}", f"{settings.container} holds one picture."
    return None
