"""Pictures on their way from the decoder to one encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import ffmpeg

from agent.media.argv import Stream
from agent.media.facts import VideoFacts
from agent.media.filters.colour import Colours, HighDynamicRange, named, tone_mapped
from agent.media.filters.forks import split
from agent.media.filters.watermarks import Mark, overlaid, overlaid_on_gpu
from agent.media.sizing import Size, Sizing
from shared.jobspec import VideoSettings
from shared.jobspec.video import InterlacedMode


@dataclass(frozen=True)
class Picture:
    """What one output makes of the source's picture."""

    sizing: Sizing
    rate: Fraction
    pix_fmt: str
    colours: Colours
    recoding: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What scaling does to the codes besides."""
    scan: str | None = None
    """Field order of an interlaced output: "tff" or "bff"."""
    turn: int = 0
    """Degrees clockwise by which it is turned further than players of the source would."""
    marks: tuple[Mark, ...] = ()
    """Laid over it, from the lowest to the uppermost."""

    @property
    def drawn_rate(self) -> Fraction:
        """Pictures per second before fields are woven."""
        return self.rate * 2 if self.scan else self.rate

    @property
    def stays_on_gpu(self) -> bool:
        s, c = self.sizing, self.colours
        return not (s.crops or s.pads or self.turn or self.scan or c.conversion or c.hdr or self.recoding)


@dataclass(frozen=True)
class Stills:
    """Pictures at equal distances."""

    sizing: Sizing
    interval: int
    format: str
    """Of the files: "jpg" or "png"."""
    hdr: HighDynamicRange | None = None
    recoding: Mapping[str, str] = field(default_factory=dict, hash=False)
    turn: int = 0


def deinterlaced(stream: Stream, *, parity: str, every_field: bool, on_gpu: bool) -> Stream:
    """Pictures that do not say themselves which field is the first do not say that they are interlaced, either."""
    mode = "send_field" if every_field else "send_frame"
    which = "interlaced" if parity == "auto" else "all"
    return stream.filter("yadif_cuda" if on_gpu else "bwdif", mode=mode, parity=parity, deint=which)


def drawn(stream: Stream, picture: Picture, source_rate: Fraction, stills: Sequence[Stream], *, on_gpu: bool) -> Stream:
    """Software frames of exactly the size, rate and colours of the output; `stills` are those of the marks."""
    fewer = picture.drawn_rate <= source_rate  # scale as few frames as possible
    if fewer:
        stream = _at_rate(stream, picture.drawn_rate)
    stream = _sized(stream, picture, on_gpu=on_gpu)
    if hdr := picture.colours.hdr:
        stream = tone_mapped(stream, hdr)
    stream = _turned(stream, picture.turn).filter("format", picture.pix_fmt)
    stream = _padded(stream, picture.sizing)
    stream = _shaped(stream, picture.sizing.pixel_aspect)
    if conversion := picture.colours.conversion:
        stream = stream.filter("colorspace", all=conversion.target, iall=conversion.source)
    for mark, still in zip(picture.marks, stills, strict=True):
        stream = overlaid(stream, mark, still, picture.pix_fmt)
    if not fewer:
        stream = _at_rate(stream, picture.drawn_rate)
    if picture.scan:
        stream = stream.filter("interlace", scan=picture.scan)
    return stream


def drawn_on_gpu(stream: Stream, picture: Picture, stills: Sequence[Stream]) -> Stream:
    """The same without leaving the card."""
    scaled = picture.sizing.scaled
    stream = _at_rate(stream, picture.rate)
    stream = stream.filter("scale_cuda", scaled.width, scaled.height, format=picture.pix_fmt)
    stream = _shaped(stream, picture.sizing.pixel_aspect)
    for mark, still in zip(picture.marks, stills, strict=True):
        stream = overlaid_on_gpu(stream, mark, still)
    return stream


FINEST_SHAPE: Final = 4096
"""The largest number in the shape of a pixel that encoders of H.264 write."""
PALETTE_WIDTH: Final = 320
"""Pixels across of the picture that colours are chosen from: half the time of choosing from all, and hardly other colours."""


def palette(stream: Stream, picture: Picture) -> Stream:
    """A palette per frame: one for all frames would keep the whole movie in memory until its end is known."""
    width, height = picture.sizing.frame.width, picture.sizing.frame.height
    stream = named(stream, picture.colours.matrix)
    pictures, colours = split(stream, 2)
    if width > PALETTE_WIDTH:
        colours = colours.filter("scale", PALETTE_WIDTH, max(1, round(height * PALETTE_WIDTH / width)))
    colours = colours.filter("palettegen", stats_mode="single")
    return ffmpeg.filter([pictures, colours], "paletteuse", new=1, dither="bayer", bayer_scale=4)


def thumbnails(stream: Stream, wanted: Stills, *, on_gpu: bool) -> Stream:
    """The pictures at 0, `interval`, 2 × `interval`, … seconds."""
    stream = stream.filter("fps", f"1/{wanted.interval}", round="up", start_time=0)
    stream = _sized(stream, wanted, on_gpu=on_gpu)
    if wanted.hdr:
        stream = tone_mapped(stream, wanted.hdr)
    stream = stream.filter("format", "rgb24" if wanted.format == "png" else "gbrp")
    stream = _padded(_turned(stream, wanted.turn), wanted.sizing)
    stream = _shaped(stream, wanted.sizing.pixel_aspect)
    return stream if wanted.format == "png" else stream.filter("format", "yuvj420p")  # by BT.601, as jpg is


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


def _at_rate(stream: Stream, rate: Fraction) -> Stream:
    """A constant rate from time 0 on, so that key frames fall on the same times in every output."""
    return stream.filter("fps", _ratio(rate), start_time=0)


def _sized(stream: Stream, picture: Picture | Stills, *, on_gpu: bool) -> Stream:
    """Cropped and scaled as the source lies: on the card where it can, else after the shortest way to memory."""
    cropped, scaled = _as_it_lies(picture)
    if on_gpu and not picture.sizing.crops:
        stream = stream.filter("scale_cuda", scaled.width, scaled.height, format="yuv420p")
        stream = stream.filter("hwdownload").filter("format", "yuv420p")
        return stream.filter("scale", **picture.recoding) if picture.recoding else stream
    if on_gpu:
        stream = stream.filter("hwdownload").filter("format", "nv12")
    if picture.sizing.crops:
        stream = stream.filter("crop", cropped.width, cropped.height)
    return stream.filter("scale", scaled.width, scaled.height, **picture.recoding)


def _as_it_lies(picture: Picture | Stills) -> tuple[Size, Size]:
    """What is left after cropping and after scaling, in the orientation that the source has."""
    sizing = picture.sizing
    return (sizing.cropped.lying, sizing.scaled.lying) if picture.turn % 180 else (sizing.cropped, sizing.scaled)


def _turned(stream: Stream, degrees: int) -> Stream:
    match degrees:
        case 90:
            return stream.filter("transpose", "clock")
        case 180:
            return stream.filter("hflip").filter("vflip")
        case 270:
            return stream.filter("transpose", "cclock")
        case _:
            return stream


def _padded(stream: Stream, sizing: Sizing) -> Stream:
    if not sizing.pads:
        return stream
    return stream.filter("pad", sizing.frame.width, sizing.frame.height, sizing.bars.width, sizing.bars.height)


def _shaped(stream: Stream, pixel_aspect: Fraction) -> Stream:
    """Left to itself, the filter takes the nearest ratio of numbers up to a hundred."""
    finer = {"max": FINEST_SHAPE} if max(pixel_aspect.as_integer_ratio()) > 100 else {}
    return stream.filter("setsar", _ratio(pixel_aspect), **finer)


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
