"""Colours: how they are coded in a source, how in an output, and what lies between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agent.media.argv import Stream
from agent.media.facts import VideoFacts
from agent.media.sizing import Size
from shared.jobspec import VideoSettings
from shared.jobspec.video import ColorSpaceConversion


class Matrix(StrEnum):
    """How colours are coded, under the names of the colorspace filter."""

    BT709 = "bt709"
    BT601_525 = "bt601-6-525"
    BT601_625 = "bt601-6-625"
    BT2020 = "bt2020"

    @property
    def family(self) -> str:
        return "bt601" if self.startswith("bt601") else str(self)

    @property
    def tag(self) -> str:
        return MATRIX_TAGS[self]["colorspace"]


MATRIX_TAGS: Final = {
    Matrix.BT709: {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"},
    Matrix.BT601_525: {"colorspace": "smpte170m", "color_primaries": "smpte170m", "color_trc": "smpte170m"},
    Matrix.BT601_625: {"colorspace": "bt470bg", "color_primaries": "bt470bg", "color_trc": "smpte170m"},
    Matrix.BT2020: {"colorspace": "bt2020nc", "color_primaries": "bt2020", "color_trc": "bt2020-10"},
}
HIGH_DYNAMIC_RANGE: Final = frozenset({"smpte2084", "arib-std-b67"})
"""The transfer curves of HDR10 and HLG. What says nothing of its curve has none of them."""


@dataclass(frozen=True)
class Conversion:
    source: Matrix
    target: Matrix

    @property
    def name(self) -> str:
        """As settings name it: "Bt709ToBt601"."""
        return f"{self.source.family.capitalize()}To{self.target.family.capitalize()}"


@dataclass(frozen=True)
class HighDynamicRange:
    """What a source says of pictures that are far brighter than any of ours."""

    transfer: str
    matrix: str
    primaries: str


@dataclass(frozen=True)
class Colours:
    """How the pictures of an output are coded, and how they come to be."""

    matrix: Matrix
    """Of what is encoded."""
    hdr: HighDynamicRange | None = None
    """Of a source that is mapped to ordinary brightness."""
    written: Matrix | None = None
    """What colours themselves are coded by, where the source holds no other."""
    conversion: Conversion | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What the stream says of its colours, where players would guess otherwise."""

    @property
    def applied(self) -> str:
        """The conversion that was made, as jobs answer with it."""
        return self.conversion.name if self.conversion else ColorSpaceConversion.NONE.value


def colours(video: VideoSettings, source: VideoFacts, frame: Size) -> Colours:
    """Of an output with frames of this size."""
    hdr = high_dynamic_range(source)
    coded = _coded(source, frame, is_mapped=hdr is not None)
    conversion = _conversion(video.color_space_conversion, coded, source, frame)
    written = None
    if source.is_rgb and hdr:
        written = Matrix.BT2020
    elif source.is_rgb:
        written = coded = conversion.source if conversion else coded
    made = conversion.target if conversion else coded
    is_told = video.color_space_conversion is not ColorSpaceConversion.NONE
    is_guessed_wrong = source.color_space is None and made.family != usual_matrix(frame.height).family
    tags = MATRIX_TAGS[made] if is_told or is_guessed_wrong or hdr or written else {}
    return Colours(made, hdr, written, conversion, tags)


def high_dynamic_range(source: VideoFacts) -> HighDynamicRange | None:
    if source.transfer not in HIGH_DYNAMIC_RANGE:
        return None
    return HighDynamicRange(
        source.transfer,
        matrix=source.color_space if source.color_space in _ZSCALE_MATRICES else "bt2020nc",
        primaries=source.primaries if source.primaries in _ZSCALE_PRIMARIES else "bt2020",
    )


def recoding(source: VideoFacts, colours: Colours) -> dict[str, str]:
    """What scaling does to the codes of a video besides; asking for what is there already would cost a copy."""
    changes = {"out_range": "tv"} if source.full_range else {}
    return changes | ({"out_color_matrix": swscale_name(colours.written)} if colours.written else {})


def recoding_of_stills(source: VideoFacts) -> dict[str, str]:
    """ffmpeg takes whatever says nothing for BT.601."""
    matrix = matrix_of(source)
    is_told = source.color_space is not None or source.is_rgb or high_dynamic_range(source) is not None
    return {} if is_told or matrix.family == "bt601" else {"in_color_matrix": swscale_name(matrix)}


def swscale_name(matrix: Matrix) -> str:
    return matrix.family


def named(stream: Stream, matrix: Matrix) -> Stream:
    """Pictures that say how they are coded, for filters that would guess otherwise."""
    return stream.filter("setparams", colorspace=MATRIX_TAGS[matrix]["colorspace"])


def tone_mapped(stream: Stream, hdr: HighDynamicRange) -> Stream:
    """Light is computed with as light, so that highlights keep their colours."""
    coded = {"tin": hdr.transfer, "min": hdr.matrix, "pin": hdr.primaries, "rin": "tv"}
    stream = stream.filter("format", "yuv420p10le").filter("zscale", **coded, t="linear", npl=REFERENCE_WHITE)
    stream = stream.filter("format", "gbrpf32le").filter("zscale", p="bt709")
    stream = stream.filter("tonemap", "hable", desat=0)
    return stream.filter("zscale", t="bt709", m="bt709", r="tv")


REFERENCE_WHITE: Final = 100
"""Candelas per square metre that become the white of ordinary pictures, before highlights are rolled off."""
_ZSCALE_MATRICES: Final = frozenset({"bt709", "smpte170m", "bt470bg", "bt2020nc", "bt2020c"})
_ZSCALE_PRIMARIES: Final = frozenset({"bt709", "smpte170m", "bt470bg", "bt2020", "smpte432"})


def matrix_of(source: VideoFacts) -> Matrix:
    match source.color_space:
        case "bt709":
            return Matrix.BT709
        case "smpte170m" | "bt470bg" | "fcc":
            return _standard_definition(source.shown_height)
        case "bt2020nc" | "bt2020c":
            return Matrix.BT2020
        case _:
            return usual_matrix(source.shown_height)


def usual_matrix(height: int) -> Matrix:
    """What players take pictures of this height for that say nothing."""
    return Matrix.BT709 if height >= 720 else _standard_definition(height)


def _coded(source: VideoFacts, frame: Size, *, is_mapped: bool) -> Matrix:
    if is_mapped:
        return Matrix.BT709
    return usual_matrix(frame.height) if source.is_rgb else matrix_of(source)


def _conversion(asked: ColorSpaceConversion, coded: Matrix, source: VideoFacts, frame: Size) -> Conversion | None:
    """The conversion that the settings name; with "Auto" the one to what is usual at the size of the output, if they differ."""
    match asked:
        case ColorSpaceConversion.NONE:
            return None
        case ColorSpaceConversion.BT709_TO_BT601:
            return Conversion(Matrix.BT709, _standard_definition(frame.height))
        case ColorSpaceConversion.BT601_TO_BT709:
            return Conversion(_standard_definition(source.shown_height), Matrix.BT709)
        case ColorSpaceConversion.AUTO:
            wanted = usual_matrix(frame.height)
            return Conversion(coded, wanted) if coded.family != wanted.family else None


def _standard_definition(height: int) -> Matrix:
    return Matrix.BT601_625 if height in (288, 576) else Matrix.BT601_525
