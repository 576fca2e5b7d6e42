"""How pictures meet the room that they are given."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field


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


Pixels = Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
ThumbnailPixels = Annotated[int, Field(ge=16, le=4096)]
