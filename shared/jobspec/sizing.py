"""How pictures meet the room that they are given."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, JsonValue, StringConstraints

from shared.jobspec.mismatch import mismatch


class SizingPolicy(StrEnum):
    """How the picture meets `max_width` × `max_height`; "Shrink" never enlarges."""

    FIT = "Fit"
    FILL = "Fill"
    STRETCH = "Stretch"
    KEEP = "Keep"
    SHRINK_TO_FIT = "ShrinkToFit"
    SHRINK_TO_FILL = "ShrinkToFill"


class PaddingPolicy(StrEnum):
    PAD = "Pad"
    NO_PAD = "NoPad"


SMALLEST: Final = 16
LARGEST: Final = 4096
Pixels = Annotated[int, Field(ge=SMALLEST, le=LARGEST, multiple_of=2)]
ThumbnailPixels = Annotated[int, Field(ge=SMALLEST, le=LARGEST)]

AspectRatio = Literal["auto", "1:1", "4:3", "3:2", "16:9"]
Resolution = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9]\d{1,3}x[1-9]\d{1,3})$")]

DEFAULT_WIDTH: Final = 1920
DEFAULT_HEIGHT: Final = 1080
DEPRECATED: Final[dict[str, JsonValue]] = {"deprecated": True}


def exact(resolution: str | None) -> tuple[int, int] | None:
    """(640, 480) of "640x480"; None of what names no size."""
    if resolution in (None, "auto"):
        return None
    width, _, height = str(resolution).partition("x")
    return int(width), int(height)


def check_one_way(sent: BaseModel, resolution: str | None, aspect_ratio: str | None, *, even: bool) -> None:
    """The deprecated fields and those that took their place say the same in two ways; a document has one of them."""
    if resolution is None and aspect_ratio is None:
        return
    for name, field in type(sent).model_fields.items():
        if name in _SIZING and getattr(sent, name) != field.default:
            raise mismatch(name, f"`{name}` does not go with `resolution` and `aspect_ratio`, which are deprecated.")
    for length in exact(resolution) or ():
        if not SMALLEST <= length <= LARGEST or (even and length % 2):
            kind = "even, " if even else ""
            raise mismatch("resolution", f"Width and height are {kind}at least {SMALLEST} and at most {LARGEST}.")


_SIZING: Final = frozenset({"max_width", "max_height", "sizing_policy", "padding_policy", "display_aspect_ratio"})
