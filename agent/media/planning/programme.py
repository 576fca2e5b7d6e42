"""What the inputs of a task are together: one picture and one sound, whatever they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, TypeVar

from agent.media import hints
from agent.media.facts import AudioFacts, MediaFacts, VideoFacts
from agent.media.planning.canvas import Bed, Canvas, bed, canvas
from agent.media.sizing import Size
from shared.failures import Cause, Failure, FailureCode
from shared.protocol import PartSpec, Span

LEAST: Final = 0.0005
"""Seconds; what is shorter is nothing: the times of clips are told in thousandths."""


@dataclass(frozen=True)
class Part:
    """A stretch of one input, `in/<index>` of the workspace."""

    index: int
    file: MediaFacts
    """Of all of it, as its sender says that it is to be read."""
    start: float = 0.0
    take: float | None = None
    """Seconds from there; None: up to the end."""
    demuxer: str | None = None
    rate: Fraction | None = None
    """At which it is read, whatever its time stamps say."""
    size: Size | None = None
    """In which its upright picture is seen, whatever its file says."""
    fed: Mapping[str, str] | None = None
    """Of inputs that others join, and that come through pipes: what their pictures say of their colours."""

    @property
    def facts(self) -> MediaFacts:
        """Of the stretch."""
        return _cut(self.file, self.start, self.take) if self.is_cut else self.file

    @property
    def is_cut(self) -> bool:
        return self.start > 0 or self.take is not None

    def within(self, start: float, end: float | None) -> Part:
        """A stretch of the stretch."""
        take = self.take
        if end is not None:
            take = end - start if take is None else min(end, take) - start
        elif take is not None:
            take -= start
        return replace(self, start=self.start + start, take=take)


@dataclass(frozen=True)
class Programme:
    """The inputs in their order."""

    parts: tuple[Part, ...]
    whole: MediaFacts
    """What outputs are planned by: the facts that one file with all of it would have."""
    canvas: Canvas | None = None
    """On which pictures of several parts are shown."""
    bed: Bed | None = None
    is_uneven: bool = False
    """Whether its picture or sound becomes another kind midway."""

    @property
    def is_stitched(self) -> bool:
        return self.canvas is not None or self.bed is not None

    @property
    def is_cut(self) -> bool:
        """Whether it ends where we say, and not where a file does."""
        return self.is_stitched or self.parts[0].is_cut

    @property
    def longest(self) -> float | None:
        """Seconds of the longest part, where there are several."""
        return max(part.facts.duration or 0.0 for part in self.parts) if self.is_stitched else None

    def pictures_at(self, rate: Fraction) -> int | None:
        """How many there are at a rate, where it ends as we say."""
        seconds = self.whole.duration
        return max(1, round(seconds * rate)) if self.is_cut and seconds is not None else None

    def frames(self) -> tuple[int, ...]:
        """Of stitched parts, how many pictures each lasts, so that one follows the other at a picture's boundary."""
        rate = self.rate
        return tuple(max(1, round((part.facts.duration or 0.0) * rate)) for part in self.parts)

    @property
    def rate(self) -> Fraction:
        """Of sound alone, as fine as one wants: it has no pictures to end with."""
        return self.canvas.rate if self.canvas else Fraction(1000)


def part(spec: PartSpec, facts: MediaFacts) -> Part:
    """`facts`: of the file, with the hints in them."""
    clip = spec.clip or Span()
    return Part(
        index=spec.source,
        file=facts,
        start=clip.start,
        take=clip.duration,
        demuxer=hints.demuxer(spec),
        rate=hints.forced_rate(spec),
        size=hints.forced_size(spec),
    )


def beyond_end(parts: Sequence[Part]) -> Failure | None:
    """Why the clips cannot be made."""
    for number, one in enumerate(parts):
        length = one.file.duration
        if length is not None and _is_beyond(one.start, length, one.file.video):
            return _beyond(f"The clip of input {number + 1} starts at {one.start:g} s", length)
    return None


def programme(parts: tuple[Part, ...]) -> Programme:
    if len(parts) == 1:
        return Programme(parts, parts[0].facts)
    facts = [one.facts for one in parts]
    on = canvas([one.video for one in facts if one.video is not None])
    return _stitched(parts, on, bed([one.audio for one in facts if one.audio is not None]))


def clipped(shown: Programme, clip: Span | None) -> Programme | Failure:
    """The stretch of it that an output shows."""
    if clip is None:
        return shown
    end = None if clip.duration is None else clip.start + clip.duration
    length = shown.whole.duration
    if length is not None and _is_beyond(clip.start, length, shown.whole.video):
        return _beyond(f"The clip of this output starts at {clip.start:g} s", length)
    if not shown.is_stitched:
        return programme((shown.parts[0].within(clip.start, end),))
    return _stitched(tuple(_overlapping(shown, clip.start, end)), shown.canvas, shown.bed)


def _overlapping(shown: Programme, start: float, end: float | None) -> Iterable[Part]:
    at = Fraction(0)
    for one, frames in zip(shown.parts, shown.frames(), strict=True):
        lasts = frames / shown.rate
        first, last = start - float(at), None if end is None else end - float(at)
        if first < lasts - LEAST and (last is None or last > LEAST):
            yield one.within(max(0.0, first), None if last is None or last >= lasts else last)
        at += lasts


def _is_beyond(start: float, length: float, video: VideoFacts | None) -> bool:
    """Whether nothing begins from there on: no sound, or after the last picture has begun."""
    return start > 0 and (start >= length - LEAST or (video is not None and start > _last(length, video)))


def _last(end: float, video: VideoFacts) -> float:
    """The latest time from which on there is a picture."""
    return end - float(1 / video.frame_rate) + LEAST


def _beyond(what: str, length: float) -> Failure:
    message = f"{what}, but there are only {length:.3f} s; start it earlier."
    return Failure(cause=Cause.INPUT, code=FailureCode.CLIP_BEYOND_END, message=message)


# Facts ----------------------------------------------------------------------------------------------------------------


def _stitched(parts: tuple[Part, ...], on: Canvas | None, under: Bed | None) -> Programme:
    facts = [one.facts for one in parts]
    shown = Programme(parts, facts[0], on, under)
    seconds = float(sum(shown.frames()) / shown.rate) if all(one.duration for one in facts) else None
    rates = [one.video.bit_rate for one in facts if one.video is not None]
    highest = max((rate for rate in rates if rate is not None), default=None)
    whole = MediaFacts(
        format="stitched",
        size=sum(one.size for one in facts),
        duration=seconds,
        duration_is_exact=seconds is not None and all(one.duration_is_exact for one in facts),
        video=_picture(on, seconds, highest) if on else None,
        audio=AudioFacts(0, "pcm", under.channels, under.sample_rate, seconds, 0.0) if under else None,
    )
    return replace(shown, whole=whole)


def _picture(on: Canvas, seconds: float | None, bit_rate: int | None) -> VideoFacts:
    return VideoFacts(
        index=0,
        codec="rawvideo",
        width=on.size.width,
        height=on.size.height,
        pixel_aspect=Fraction(1),
        rotation=0,
        frame_rate=on.rate,
        pix_fmt=on.pix_fmt,
        interlaced=False,
        full_range=False,
        color_space=on.matrix.tag,
        primaries=on.primaries,
        transfer=on.transfer,
        duration=seconds,
        frames=None,
        start=0.0,
        parity="auto",
        bit_rate=bit_rate,
    )


def _cut(file: MediaFacts, start: float, take: float | None) -> MediaFacts:
    """What is left of a file and its streams. A stream that is over by then is none."""
    left = None if file.duration is None else max(0.0, file.duration - start)
    if take is not None:
        left = take if left is None or not file.duration_is_exact else min(left, take)
    return replace(
        file,
        duration=left,
        video=_cut_stream(file.video, start, take),
        audio=_cut_stream(file.audio, start, take),
    )


StreamT = TypeVar("StreamT", VideoFacts, AudioFacts)


def _cut_stream(stream: StreamT | None, start: float, take: float | None) -> StreamT | None:
    if stream is None:
        return None
    begins = max(0.0, stream.start - start)
    if stream.duration is None:
        return replace(stream, start=begins)
    if isinstance(stream, VideoFacts) and start > _last(stream.start + stream.duration, stream):
        return None
    lasts = stream.start + stream.duration - start - begins
    if take is not None:
        lasts = min(lasts, take - begins)
    return replace(stream, start=begins, duration=lasts) if lasts > LEAST else None
