"""Pictures at equal distances."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.jobspec.sizing import PaddingPolicy, SizingPolicy, ThumbnailPixels
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
