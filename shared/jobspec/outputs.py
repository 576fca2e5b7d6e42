"""What a job makes: one file, or a row of segments, with all that goes with it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.jobspec.artwork import AlbumArt
from shared.jobspec.captions import OutputCaptions
from shared.jobspec.clips import Clip
from shared.jobspec.encryption import Encryption
from shared.jobspec.fields import (
    OutputKey,
    TranscoderId,
)
from shared.jobspec.settings import Settings
from shared.jobspec.sizing import PaddingPolicy, SizingPolicy, ThumbnailPixels
from shared.jobspec.watermarks import Watermark
from shared.models import Sent

Rotation = Literal["auto", 0, 90, 180, 270]


class Sprite(Sent):
    """All thumbnails of an output on sheets, `key-00001` and so on, and `key.vtt`, which says where on them a time is shown."""

    key: OutputKey = Field(description="Of the sheets and of the map, without count and extension.")
    columns: Annotated[int, Field(ge=1, le=50)] = Field(10, description="Thumbnails beside each other on a sheet.")
    rows: Annotated[int, Field(ge=1, le=50)] = Field(10, description="Thumbnails above each other on a sheet.")


class OutputThumbnails(Sent):
    """Pictures of an output at equal distances; what is left out comes from the preset."""

    pattern: Annotated[OutputKey, Field(pattern=r"\{count\}")] = Field(
        description="Key with {count}, five digits from 00001, and optionally {resolution}; the extension is added."
    )
    format: Literal["jpg", "png"] | None = Field(None, description="Instead of the preset's.")
    interval: Annotated[int, Field(ge=1, le=99_999)] | None = Field(
        None, description="Seconds from one to the next, instead of the preset's."
    )
    max_width: ThumbnailPixels | None = Field(None, description="Instead of the preset's.")
    max_height: ThumbnailPixels | None = Field(None, description="Instead of the preset's.")
    sizing_policy: SizingPolicy | None = Field(None, description="Instead of the preset's.")
    padding_policy: PaddingPolicy | None = Field(None, description="Instead of the preset's.")
    encryption: Encryption | None = Field(None, description="Of each of them, with a vector of its own.")
    sprite: Sprite | None = Field(None, description="Sheets of all of them besides, for the seek bars of players.")


class Output(Sent):
    key: OutputKey = Field(
        description="Of what is made, after `output_key_prefix`; for a row of segments, the stem of their keys."
    )
    preset_id: TranscoderId | None = Field(
        None, description="Of a preset that says what it is to be; or `settings` do."
    )
    settings: Settings | None = Field(None, description="What it is to be, as in a preset.")
    segment_duration: Annotated[float, Field(ge=1, le=60)] | None = Field(
        None,
        description="Seconds; makes a ts output a row of segments with a playlist, and is the length of an fmp4's fragments.",
    )
    rotate: Rotation = Field(
        "auto",
        description="Degrees clockwise, from the picture as it is stored; with auto it stands as the file says.",
    )
    thumbnails: OutputThumbnails | None = None
    captions: OutputCaptions | None = Field(None, description="Without it, there are none, whatever the inputs have.")
    encryption: Encryption | None = Field(None, description="Of the one file that the output is.")
    watermarks: tuple[Watermark, ...] = Field(
        (),
        fail_fast=True,
        max_length=4,
        description="Pictures for the slots of `video.watermarks`; later ones lie over earlier ones.",
    )
    album_art: AlbumArt | None = Field(None, description="Pictures within a file of sound; without it there are none.")
    clip: Clip | None = Field(
        None, description="The part of all inputs together that this output shows; all of it when null."
    )

    @model_validator(mode="after")
    def _has_one_source_of_settings(self) -> Self:
        if (self.preset_id is None) == (self.settings is None):
            raise PydanticCustomError("preset_or_settings", "An output has either `preset_id` or `settings`.")
        return self
