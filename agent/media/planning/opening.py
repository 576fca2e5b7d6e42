"""The beginning of a graph: every part opened once, cut, and put behind the one before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from agent.media import argv, sizing
from agent.media.argv import Stream
from agent.media.facts import AudioFacts, VideoFacts
from agent.media.filters import (
    Colours,
    Conversion,
    Matrix,
    Picture,
    deinterlaced,
    drawn,
    high_dynamic_range,
    joining,
    matrix_of,
    recoding,
)
from agent.media.planning.canvas import Bed, Canvas
from agent.media.planning.planned import Feeders
from agent.media.planning.programme import Part, Programme
from agent.media.sizing import Size

SEEKABLE: Final = frozenset({"asf", "avi", "flac", "flv", "matroska", "mov", "mp3", "mxf", "ogg", "wav", "webm"})
"""Formats in which ffmpeg finds the picture that a later one needs. In the others it is told to begin before that."""
BARE: Final = frozenset({"aac", "ac3", "eac3", "amr", "h264", "hevc", "m4v", "mpegvideo"})
"""Formats without time stamps: in them nothing is found but by reading all that comes before."""
RUN_UP: Final = 20.0
"""Seconds before a stretch, in which there is a picture that needs no other."""
WITH_THREADS: Final = 4
"""Stitched parts that may each have all threads. Only one of them is read at a time, but every thread holds pictures."""
SPARE_PICTURES: Final = 2.5
SPARE_SECONDS: Final = 0.1
"""What a container's lengths may be off the truth, without anything being missing."""


@dataclass(frozen=True)
class Opened:
    """The beginnings of a graph: nobody has taken anything from them yet."""

    picture: Stream | None
    sound: Stream | None


def opened(
    shown: Programme,
    *,
    threads: int,
    decoding: dict[str, Any],
    picture: bool,
    sound: bool,
    at: Fraction = Fraction(0),
) -> Opened:
    """`decoding`: options for decoders of pictures. What nobody takes is not opened. `at`: seconds of what comes before."""
    if not shown.is_stitched:
        return _alone(shown.parts[0], threads, decoding)
    each = threads if len(shown.parts) <= WITH_THREADS else 1
    on_gpu = {number for number, part in enumerate(shown.parts) if picture and decoding and is_for_nvdec(part)}
    began = [
        _alone(part, each, decoding if number in on_gpu else {}, again)
        for number, (part, again) in enumerate(_counted(shown.parts))
    ]
    pictures = list(_pictures(shown, shown.canvas, began, on_gpu)) if picture and shown.canvas else []
    sounds = list(_sounds(shown, shown.bed, began, at)) if sound and shown.bed else []
    return Opened(
        picture=joining.pictures_in_a_row(pictures, shown.rate) if pictures else None,
        sound=joining.sounds_in_a_row(sounds) if sounds else None,
    )


NVDEC_CODECS: Final = frozenset({"h264", "hevc", "mpeg2video", "mpeg4", "vc1", "vp8", "vp9"})


def is_for_nvdec(part: Part) -> bool:
    """Whether a card can decode its picture, and do there what is done first. Turns, and fields of another size than they
    come in, are made by filters in memory; what comes through pipes is decoded already.
    """
    video = part.facts.video
    return (
        video is not None
        and part.fed is None
        and video.codec in NVDEC_CODECS
        and video.pix_fmt == "yuv420p"
        and not video.full_range
        and video.rotation == 0
        and not (part.size is not None and video.interlaced)
    )


# One part -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cut:
    """What is left to ffmpeg's own seeking, and what is cut off after decoding."""

    options: dict[str, Any]
    start: float = 0.0
    is_left: bool = False


def _alone(part: Part, threads: int, decoding: dict[str, Any], again: int = 0) -> Opened:
    cut = _cut(part)
    forced = {"f": part.demuxer} if part.demuxer else {}
    options = {**forced, **cut.options, **decoding}
    file = (
        argv.source(_name(part, again), threads=threads, **options)
        if part.fed is None
        else argv.piped(f"in/{Feeders.LIST}", threads=threads, **part.fed)
    )
    video, audio = part.facts.video, part.facts.audio
    picture = file[str(video.index)] if video else None
    sound = file[str(audio.index)] if audio else None
    if sound is not None and audio is not None and audio.channels > joining.MOST_CHANNELS:
        sound = joining.first_channels(sound)
    if picture is not None and part.rate is not None:
        picture = joining.paced(picture, part.rate)
    if cut.is_left:
        picture = picture and joining.cut_picture(picture, cut.start, part.take)
        sound = sound and joining.cut_sound(sound, cut.start, part.take)
    if picture is not None and part.size is not None:
        woven = video is not None and video.interlaced
        picture = joining.resized(picture, part.size.width, part.size.height, woven=woven, on_gpu=bool(decoding))
    return Opened(picture, sound)


def _name(part: Part, again: int) -> str:
    """Under another name each time: ffmpeg-python takes two inputs that look alike for one, which it cannot share."""
    return "in/" + "./" * again + str(part.index)


def _cut(part: Part) -> _Cut:
    """Pictures whose times are made up by counting must be counted from the first."""
    if not part.is_cut:
        return _Cut({})
    formats = set(part.file.format.split(","))
    if part.rate is not None or formats & BARE:
        return _Cut({}, part.start, is_left=True)
    if not formats & SEEKABLE:
        begin = max(0.0, part.start - RUN_UP)
        return _Cut({"ss": _seconds(begin)} if begin else {}, part.start - begin, is_left=True)
    options = {"ss": _seconds(part.start)} if part.start else {}
    return _Cut(options | ({} if part.take is None else {"t": _seconds(part.take)}))


# Several --------------------------------------------------------------------------------------------------------------


def _counted(parts: Sequence[Part]) -> Iterator[tuple[Part, int]]:
    """Each with the number of parts before it that come from the same input."""
    seen: dict[int, int] = {}
    for part in parts:
        seen[part.index] = seen.get(part.index, -1) + 1
        yield part, seen[part.index]


def _pictures(shown: Programme, on: Canvas, began: Sequence[Opened], on_gpu: Collection[int]) -> Iterator[Stream]:
    """In memory, where they are put on the canvas: those that a card decoded come down in the size that they have there."""
    for number, (part, start, frames) in enumerate(zip(shown.parts, began, shown.frames(), strict=True)):
        video = part.facts.video
        if video is None or start.picture is None:
            yield joining.black(str(on.size), on.rate, on.pix_fmt, frames, number=number)
            continue
        stream = start.picture
        if video.interlaced:
            stream = deinterlaced(stream, parity=video.parity, every_field=False, on_gpu=number in on_gpu)
        stream = drawn(stream, _placed(video, on), video.frame_rate, (), on_gpu=number in on_gpu)
        spare = max(SPARE_SECONDS, SPARE_PICTURES / float(on.rate))
        yield joining.lasting_picture(stream, frames, fill=_missing(float(frames / on.rate), video) + spare)


def _placed(video: VideoFacts, on: Canvas) -> Picture:
    colours = _colours(video, on)
    return Picture(
        sizing=sizing.of_part(on.size, Size(video.shown_width, video.shown_height), video.shown_pixel_aspect),
        rate=on.rate,
        pix_fmt=on.pix_fmt,
        colours=colours,
        recoding=recoding(video, colours),
    )


def _colours(video: VideoFacts, on: Canvas) -> Colours:
    """Coded as all the others."""
    if on.is_hdr:
        return Colours(on.matrix)
    if video.is_rgb:
        return Colours(on.matrix, written=on.matrix)
    hdr = high_dynamic_range(video)
    coded = Matrix.BT709 if hdr else matrix_of(video)
    return Colours(
        on.matrix, hdr, conversion=Conversion(coded, on.matrix) if coded.family != on.matrix.family else None
    )


def _sounds(shown: Programme, on: Bed, began: Sequence[Opened], at: Fraction) -> Iterator[Stream]:
    for number, (part, start, frames) in enumerate(zip(shown.parts, began, shown.frames(), strict=True)):
        end = at + frames / shown.rate
        samples = round(end * on.sample_rate) - round(at * on.sample_rate)
        audio = part.facts.audio
        if audio is None or start.sound is None:
            yield joining.silence(on.sample_rate, on.channels, samples, number=number)
        else:
            stream = joining.laid(start.sound, on.sample_rate, on.channels)
            fill = _missing(float(end - at), audio) + SPARE_SECONDS
            yield joining.lasting_sound(stream, samples, fill=fill)
        at = end


def _missing(seconds: float, stream: VideoFacts | AudioFacts) -> float:
    """What a stream falls short of its part; all of it, where nobody knows."""
    return seconds if stream.duration is None else max(0.0, seconds - stream.start - stream.duration)


def _seconds(value: float) -> str:
    return f"{value:.6f}"
