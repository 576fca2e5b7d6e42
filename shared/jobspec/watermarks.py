"""Pictures laid over the video: the slots that settings have for them, and what a job puts there."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.jobspec.encryption import Decryption
from shared.jobspec.fields import ObjectKey
from shared.jobspec.mismatch import mismatch
from shared.models import Sent


def _is_within_the_whole(length: str) -> str:
    if length.endswith("%") and float(length.removesuffix("%")) > 100:
        raise PydanticCustomError("length", "A length has at most 100%.")
    return length


def _is_visible(length: str) -> str:
    if float(length.rstrip("%px")) == 0:
        raise PydanticCustomError("length", "A picture of this size could not be seen.")
    return length


Length = Annotated[
    str,
    Field(
        pattern=r"^(\d{1,3}(\.\d{0,5})?%|\d{1,4}px)$",
        description='Pixels of the output, "16px", or a part of it, "12.5%".',
    ),
    AfterValidator(_is_within_the_whole),
]
SlotId = Annotated[str, Field(min_length=1, max_length=40)]


class WatermarkSlot(Sent):
    """A place where a job may put a picture, named by its id."""

    id: SlotId = Field(description="What an output's `watermarks` call it.")
    max_width: Annotated[Length, AfterValidator(_is_visible)]
    max_height: Annotated[Length, AfterValidator(_is_visible)]
    sizing_policy: Literal["Fit", "Stretch", "ShrinkToFit"] = Field(
        "ShrinkToFit", description="How the picture meets `max_width` and `max_height`; what shrinks is never enlarged."
    )
    horizontal_align: Literal["Left", "Right", "Center"] = Field(description="From which border its offset counts.")
    horizontal_offset: Length = "0px"
    vertical_align: Literal["Top", "Bottom", "Center"] = Field(description="From which border its offset counts.")
    vertical_offset: Length = "0px"
    opacity: Annotated[float, Field(ge=0, le=100)] = Field(
        100.0, description="Percent by which the picture hides the video; its own transparency is kept."
    )
    target: Literal["Content", "Frame"] = Field(
        "Content", description="What lengths and borders are those of: the video without or with the bars added to it."
    )

    @model_validator(mode="after")
    def _only_edges_have_offsets(self) -> Self:
        for axis, align, offset in (
            ("horizontal", self.horizontal_align, self.horizontal_offset),
            ("vertical", self.vertical_align, self.vertical_offset),
        ):
            if align == "Center" and float(offset.rstrip("%px")) != 0:
                raise mismatch(f"{axis}_offset", "A picture in the center is not offset.")
        return self


class Watermark(Sent):
    """One picture in one slot of the output's settings. Later ones are laid over earlier ones."""

    preset_watermark_id: SlotId = Field(description="Of a slot in `video.watermarks` of the preset or settings.")
    input_key: ObjectKey = Field(description="A png or jpg in the pipeline's input bucket.")
    encryption: Decryption | None = Field(None, description="How the picture is encrypted.")
