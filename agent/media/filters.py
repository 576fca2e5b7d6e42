"""Pieces of the filter graph: pictures and sound on their way from the decoder to one encoder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

import ffmpeg

from agent.media.argv import Stream
from agent.media.facts import VideoFacts
from agent.media.sizing import Sizing
from shared.jobspec import VideoSettings
from shared.jobspec.settings import ColorSpaceConversion, InterlacedMode


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


@dataclass(frozen=True)
class Picture:
    """What one output makes of the source's picture."""

    sizing: Sizing
    rate: Fraction
    pix_fmt: str
    full_range: bool = False
    """Of the source; no output is."""
    scan: str | None = None
    """Field order of an interlaced output: "tff" or "bff"."""
    conversion: Conversion | None = None

    @property
    def drawn_rate(self) -> Fraction:
        """Pictures per second before fields are woven."""
        return self.rate * 2 if self.scan else self.rate

    @property
    def stays_on_gpu(self) -> bool:
        s = self.sizing
        return not (s.crops or s.pads or self.scan or self.conversion)


def split(stream: Stream, count: int, *, kind: str = "split") -> list[Stream]:
    """ffmpeg-python wants every fork drawn."""
    if count == 1:
        return [stream]
    forked = ffmpeg.filter_multi_output([stream], kind, count)
    return [forked[index] for index in range(count)]


def deinterlaced(stream: Stream, *, every_field: bool, on_gpu: bool) -> Stream:
    mode = "send_field" if every_field else "send_frame"
    return stream.filter("yadif_cuda" if on_gpu else "bwdif", mode=mode, parity="auto", deint="interlaced")


def drawn(stream: Stream, picture: Picture, source_rate: Fraction, *, on_gpu: bool) -> Stream:
    """Software frames of exactly the size, rate and colours of the output."""
    fewer = picture.drawn_rate <= source_rate  # scale as few frames as possible
    if fewer:
        stream = _at_rate(stream, picture.drawn_rate)
    stream = (
        _downloaded(stream, picture.sizing)
        if on_gpu
        else _scaled(stream, picture.sizing, full_range=picture.full_range)
    )
    stream = stream.filter("format", picture.pix_fmt)
    if picture.sizing.pads:
        frame = picture.sizing.frame
        stream = stream.filter("pad", frame.width, frame.height, "(ow-iw)/2", "(oh-ih)/2")
    stream = stream.filter("setsar", _ratio(picture.sizing.pixel_aspect))
    if picture.conversion:
        stream = stream.filter("colorspace", all=picture.conversion.target, iall=picture.conversion.source)
    if not fewer:
        stream = _at_rate(stream, picture.drawn_rate)
    if picture.scan:
        stream = stream.filter("interlace", scan=picture.scan)
    return stream


def drawn_on_gpu(stream: Stream, picture: Picture) -> Stream:
    """The same without leaving the card."""
    scaled = picture.sizing.scaled
    stream = _at_rate(stream, picture.rate)
    stream = stream.filter("scale_cuda", scaled.width, scaled.height, format=picture.pix_fmt)
    return stream.filter("setsar", _ratio(picture.sizing.pixel_aspect))


PALETTE_WIDTH: Final = 320
"""Pixels across of the picture that colours are chosen from: half the time of choosing from all, and hardly other colours."""


def palette(stream: Stream, width: int) -> Stream:
    """A palette per frame: one for all frames would keep the whole movie in memory until its end is known."""
    pictures, colours = split(stream, 2)
    if width > PALETTE_WIDTH:
        colours = colours.filter("scale", PALETTE_WIDTH, -1)
    colours = colours.filter("palettegen", stats_mode="single")
    return ffmpeg.filter([pictures, colours], "paletteuse", new=1, dither="bayer", bayer_scale=4)


def thumbnails(stream: Stream, sizing: Sizing, *, interval: int, pix_fmt: str, on_gpu: bool) -> Stream:
    """The pictures at 0, `interval`, 2 × `interval`, … seconds."""
    stream = stream.filter("fps", f"1/{interval}", round="up", start_time=0)
    stream = _downloaded(stream, sizing) if on_gpu else _scaled(stream, sizing, full_range=False)
    if sizing.pads:
        stream = stream.filter("pad", sizing.frame.width, sizing.frame.height, "(ow-iw)/2", "(oh-ih)/2")
    return stream.filter("setsar", 1).filter("format", pix_fmt)


def heard(stream: Stream, *, rate: int, channels: int, sample_format: str | None) -> Stream:
    """Sound that starts with the picture; gaps become silence."""
    stream = stream.filter("aresample", rate, **{"async": 1, "first_pts": 0})
    wanted = {"sample_rates": rate, "sample_fmts": sample_format, "channel_layouts": _LAYOUTS.get(channels)}
    return stream.filter("aformat", **{name: value for name, value in wanted.items() if value is not None})


def single_channels(stream: Stream, count: int, *, tracks: int) -> list[Stream]:
    """Every channel as a stream of its own, then silent ones up to `tracks`."""
    copies = split(stream, tracks, kind="asplit")
    channels = [copy.filter("channelmap", index, "mono") for index, copy in enumerate(copies[:count])]
    silence = [copy.filter("channelmap", 0, "mono").filter("volume", 0) for copy in copies[count:]]
    return channels + silence


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


def scan(video: VideoSettings, source: VideoFacts) -> str | None:
    match video.interlaced_mode:
        case InterlacedMode.PROGRESSIVE:
            return None
        case InterlacedMode.TOP_FIRST:
            return "tff"
        case InterlacedMode.BOTTOM_FIRST:
            return "bff"
        case InterlacedMode.AUTO:
            return "tff" if source.interlaced else None


_LAYOUTS: Final = {1: "mono", 2: "stereo"}


def _at_rate(stream: Stream, rate: Fraction) -> Stream:
    """A constant rate from time 0 on, so that key frames fall on the same times in every output."""
    return stream.filter("fps", _ratio(rate), start_time=0)


def _scaled(stream: Stream, sizing: Sizing, *, full_range: bool) -> Stream:
    if sizing.crops:
        stream = stream.filter("crop", sizing.cropped.width, sizing.cropped.height)
    ranges = {"out_range": "tv"} if full_range else {}  # asking for what is there already would cost a copy
    return stream.filter("scale", sizing.scaled.width, sizing.scaled.height, **ranges)


def _downloaded(stream: Stream, sizing: Sizing) -> Stream:
    """Scaled on the card where it can; what it cannot do is done after the shortest way to memory."""
    if sizing.crops:
        return _scaled(stream.filter("hwdownload").filter("format", "nv12"), sizing, full_range=False)
    stream = stream.filter("scale_cuda", sizing.scaled.width, sizing.scaled.height, format="yuv420p")
    return stream.filter("hwdownload").filter("format", "yuv420p")


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


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
