"""Pictures on their way from the decoder to one encoder."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import ffmpeg

from agent.media.argv import Stream
from agent.media.facts import VideoFacts
from agent.media.filters.colour import Conversion
from agent.media.filters.forks import split
from agent.media.sizing import Sizing
from shared.jobspec import VideoSettings
from shared.jobspec.video import InterlacedMode


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


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
