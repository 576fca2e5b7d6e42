"""What a job reads, and what its sender knows of it that the file does not tell, or tells wrongly."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.jobspec.captions import InputCaptions
from shared.jobspec.clips import Clip
from shared.jobspec.encryption import Decryption
from shared.jobspec.fields import (
    ObjectKey,
)
from shared.jobspec.sizing import AspectRatio
from shared.jobspec.video import FrameRate
from shared.models import Sent

InputContainer = Literal[
    "auto", "3gp", "aac", "asf", "avi", "divx", "flv", "m4a", "mkv", "mov", "mp2", "mp3", "mp4", "mpeg", "mpeg-ps",
    "mpeg-ts", "mxf", "ogg", "ts", "vob", "wav", "webm",
]  # fmt: skip
MOST_PIXELS: Final = 7680 * 4320


def _bounded(resolution: str) -> str:
    width, _, height = resolution.partition("x")
    if height and int(width) * int(height) > MOST_PIXELS:
        raise PydanticCustomError("resolution", "A picture has at most as many pixels as one of 7680x4320.")
    return resolution


Resolution = Annotated[str, Field(pattern=r"^(auto|[1-9]\d{0,3}x[1-9]\d{0,3})$"), AfterValidator(_bounded)]


class Input(Sent):
    key: ObjectKey = Field(description="Of an object in the pipeline's input bucket.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None,
        description="Of the whole object, in hexadecimal: a node that fetches something else does not transcode it.",
    )
    captions: InputCaptions | None = Field(
        None, description="Without it, outputs that want captions take those embedded in the input."
    )
    encryption: Decryption | None = Field(None, description="How the object is encrypted.")
    clip: Clip | None = Field(None, description="The part of it that is used; all of it when null.")
    frame_rate: FrameRate | Literal["auto"] = Field(
        "auto", description="Frames per second, whatever its time stamps say; they are followed with auto."
    )
    resolution: Resolution = Field(
        "auto",
        description='The size in which its picture is to be seen, upright: "640x480". What the file says with auto.',
    )
    aspect_ratio: AspectRatio = Field(
        "auto", description="The shape in which its picture is to be seen, upright. What the file says with auto."
    )
    interlaced: Literal["auto", True, False] = Field(
        "auto",
        description="Whether fields are to be woven apart; with auto, the file says so and its pictures show it.",
    )
    container: InputContainer = Field(
        "auto", description="Read it as this and nothing else; what it is is found out with auto."
    )
