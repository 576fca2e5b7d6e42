"""Pictures at equal distances."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.jobspec import sizing
from shared.jobspec.mismatch import mismatch
from shared.jobspec.sizing import AspectRatio, PaddingPolicy, Resolution, SizingPolicy, ThumbnailPixels
from shared.models import Sent


class ThumbnailSettings(Sent):
    format: Literal["jpg", "png"] = Field("png", description="Of the files.")
    interval: Annotated[int, Field(ge=1, le=99_999)] = Field(60, description="Seconds from one to the next.")
    max_width: ThumbnailPixels | None = Field(192, description="1920 when null.")
    max_height: ThumbnailPixels | None = Field(108, description="1080 when null.")
    sizing_policy: SizingPolicy = Field(
        SizingPolicy.SHRINK_TO_FIT, description="How the picture meets `max_width` and `max_height`."
    )
    padding_policy: PaddingPolicy = Field(
        PaddingPolicy.NO_PAD, description="With Pad, black bars fill up to `max_width` and `max_height`."
    )
    resolution: Annotated[Resolution, Field(pattern="x")] | None = Field(
        None,
        description='Deprecated: exactly this size, "192x108"; the picture fits in, with black bars.',
        json_schema_extra=sizing.DEPRECATED,
    )
    aspect_ratio: AspectRatio | None = Field(
        None,
        description="Deprecated, with `resolution`: the shape in which it is to be shown, whatever its pixels are.",
        json_schema_extra=sizing.DEPRECATED,
    )

    @model_validator(mode="after")
    def _is_sized_in_one_way(self) -> Self:
        sizing.check_one_way(self, self.resolution, self.aspect_ratio, even=False)
        if self.aspect_ratio is not None and self.resolution is None:
            raise mismatch("aspect_ratio", "`aspect_ratio` goes with `resolution` only.")
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """Width and height that it has at most."""
        size = self.max_width or sizing.DEFAULT_WIDTH, self.max_height or sizing.DEFAULT_HEIGHT
        return sizing.exact(self.resolution) or size
