"""Colours: how they are coded in a source, and how in an output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.media.facts import VideoFacts
from agent.media.sizing import Sizing
from shared.jobspec import VideoSettings
from shared.jobspec.video import ColorSpaceConversion


class Matrix(StrEnum):
    """How colours are coded, under the names of the colorspace filter."""

    BT709 = "bt709"
    BT601_525 = "bt601-6-525"
    BT601_625 = "bt601-6-625"


MATRIX_TAGS: Final = {
    Matrix.BT709: {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"},
    Matrix.BT601_525: {"colorspace": "smpte170m", "color_primaries": "smpte170m", "color_trc": "smpte170m"},
    Matrix.BT601_625: {"colorspace": "bt470bg", "color_primaries": "bt470bg", "color_trc": "smpte170m"},
}


@dataclass(frozen=True)
class Conversion:
    source: Matrix
    target: Matrix


def conversion(video: VideoSettings, source: VideoFacts, sizing: Sizing) -> Conversion | None:
    """The conversion that the settings name; with "Auto" the one between standard and high definition, if they differ."""
    match video.color_space_conversion:
        case ColorSpaceConversion.NONE:
            return None
        case ColorSpaceConversion.BT709_TO_BT601:
            return Conversion(Matrix.BT709, _standard_definition(sizing.frame.height))
        case ColorSpaceConversion.BT601_TO_BT709:
            return Conversion(_standard_definition(source.shown_height), Matrix.BT709)
        case ColorSpaceConversion.AUTO:
            coded, wanted = _matrix_of(source), _usual_matrix(sizing.frame.height)
            return Conversion(coded, wanted) if (coded is Matrix.BT709) != (wanted is Matrix.BT709) else None


def tags(video: VideoSettings, source: VideoFacts, converted: Conversion | None) -> dict[str, str]:
    """What the stream says of its colours, where settings make us look at them."""
    if video.color_space_conversion is ColorSpaceConversion.NONE:
        return {}
    return MATRIX_TAGS[converted.target if converted else _matrix_of(source)]


def _matrix_of(source: VideoFacts) -> Matrix:
    match source.color_space:
        case "bt709":
            return Matrix.BT709
        case "smpte170m" | "bt470bg" | "fcc":
            return _standard_definition(source.shown_height)
        case _:
            return _usual_matrix(source.shown_height)


def _usual_matrix(height: int) -> Matrix:
    return Matrix.BT709 if height >= 720 else _standard_definition(height)


def _standard_definition(height: int) -> Matrix:
    return Matrix.BT601_625 if height in (288, 576) else Matrix.BT601_525
