"""What the sender of an input says of it goes before what its file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from agent.media.facts import MediaFacts, VideoFacts
from agent.media.framerate import NOMINAL
from agent.media.sizing import Size
from shared.protocol import PartSpec

DEMUXERS: Final[Mapping[str, str]] = {
    "3gp": "mov",
    "aac": "aac",
    "asf": "asf",
    "avi": "avi",
    "divx": "avi",
    "flv": "flv",
    "m4a": "mov",
    "mkv": "matroska",
    "mov": "mov",
    "mp2": "mp3",
    "mp3": "mp3",
    "mp4": "mov",
    "mpeg": "mpeg",
    "mpeg-ps": "mpeg",
    "mpeg-ts": "mpegts",
    "mxf": "mxf",
    "ogg": "ogg",
    "ts": "mpegts",
    "vob": "mpeg",
    "wav": "wav",
    "webm": "matroska",
}
"""Who reads which container, of those that are let in at all."""


def demuxer(spec: PartSpec) -> str | None:
    return DEMUXERS.get(spec.container)


def forced_rate(spec: PartSpec) -> Fraction | None:
    return NOMINAL.get(spec.frame_rate)


def forced_size(spec: PartSpec) -> Size | None:
    """Of the upright picture."""
    if spec.resolution == "auto":
        return None
    width, height = map(int, spec.resolution.split("x"))
    return Size(width, height)


def hinted(facts: MediaFacts, spec: PartSpec) -> MediaFacts:
    """The facts as they are once the hints are followed. What is said of interlacing needs a look at the pictures first."""
    video = facts.video
    if video is None:
        return facts
    video = _in_shape(_in_size(video, forced_size(spec)), spec.aspect_ratio)
    if (rate := forced_rate(spec)) is not None:
        video = _at_rate(video, rate)
        return replace(facts, video=video, duration=_end(facts, video))
    return replace(facts, video=video)


def _in_size(video: VideoFacts, size: Size | None) -> VideoFacts:
    if size is None:
        return video
    across, down = (size.height, size.width) if video.rotation in (90, 270) else (size.width, size.height)
    return replace(video, width=across, height=down, pixel_aspect=Fraction(1))


def _in_shape(video: VideoFacts, name: str) -> VideoFacts:
    if name == "auto":
        return video
    across, down = map(int, name.split(":"))
    upright = Fraction(across * video.shown_height, down * video.shown_width)
    return replace(video, pixel_aspect=1 / upright if video.rotation in (90, 270) else upright)


def _at_rate(video: VideoFacts, rate: Fraction) -> VideoFacts:
    """Every picture lasts as long as the others, from the beginning on."""
    if video.frames is not None:
        duration: float | None = float(video.frames / rate)
    else:
        duration = None if video.duration is None else video.duration * float(video.frame_rate / rate)
    return replace(video, frame_rate=rate, duration=duration, start=0.0)


def _end(facts: MediaFacts, video: VideoFacts) -> float | None:
    ends = [stream.start + stream.duration for stream in (video, facts.audio) if stream and stream.duration is not None]
    return max(ends, default=None) if video.duration is not None else None
