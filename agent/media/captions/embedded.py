"""Captions within an input: the command lines that take them out, and the reading of what comes out.

Text tracks are converted by ffmpeg. Of pictures only the units that may hold captions are copied, with the times of their
pictures: nothing is decoded.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Final

from agent.media import argv
from agent.media.captions import screen, sei, srt, windows
from agent.media.captions.announced import Announced
from agent.media.captions.cues import Track, Unreadable
from agent.media.captions.sei import Triplet
from agent.media.facts import CaptionFacts, MediaFacts
from shared.languages import UNDETERMINED, shortest

OUT: Final = "out"
MAX_BYTES: Final = 256 << 20


@dataclass(frozen=True)
class Extraction:
    """One run of ffmpeg, and the files that it makes in out/."""

    argv: list[str]
    files: tuple[str, ...]


def of_text(place: int, facts: MediaFacts) -> Extraction:
    """Every text track as SubRip."""
    file = argv.source(f"in/{place}", threads=1)
    names = tuple(f"s{place}_{track.index}.srt" for track in facts.captions)
    sinks = [
        argv.sink([file[str(track.index)]], f"{OUT}/{name}", {"c:s": "srt", "f": "srt"})
        for track, name in zip(facts.captions, names, strict=True)
    ]
    return Extraction(argv.ffmpeg_argv(sinks, threads=1), names)


@dataclass(frozen=True)
class _Carrier:
    """How a codec keeps captions with its pictures."""

    filters: str
    """Of ffmpeg: what is left are the units that may hold captions."""
    form: str
    read: Callable[[bytes], Iterable[Triplet]]
    """From one unit, which begins behind its start code."""


def _of_h264(unit: bytes) -> Iterable[Triplet]:
    return sei.triplets(unit) if unit[0] & 0x1F == sei.NAL_TYPE else ()


def _of_hevc(unit: bytes) -> Iterable[Triplet]:
    return sei.triplets(unit[1:]) if unit[0] >> 1 & 0x3F == _HEVC_SEI else ()


def _of_mpeg2(unit: bytes) -> Iterable[Triplet]:
    return sei.triplets_of_user_data(unit[1:]) if unit[0] == _USER_DATA else ()


_HEVC_SEI: Final = 39
_USER_DATA: Final = 0xB2
_CARRIERS: Final[Mapping[str, _Carrier]] = {
    "h264": _Carrier(f"h264_mp4toannexb,filter_units=pass_types={sei.NAL_TYPE}", "h264", _of_h264),
    "hevc": _Carrier(f"hevc_mp4toannexb,filter_units=pass_types={_HEVC_SEI}", "hevc", _of_hevc),
    "mpeg2video": _Carrier(f"filter_units=pass_types={_USER_DATA}", "mpeg2video", _of_mpeg2),
}


def of_pictures(place: int, facts: MediaFacts) -> Extraction | None:
    """The units that go with pictures, and beside them a list of their sizes and times; None of a codec that keeps none."""
    carrier = _CARRIERS.get(facts.video.codec) if facts.video else None
    if facts.video is None or carrier is None:
        return None
    file = argv.source(f"in/{place}", threads=1)
    names = (f"s{place}.units", f"s{place}.times")
    sinks = [
        argv.sink([file[str(facts.video.index)]], f"{OUT}/{name}", {"c:v": "copy", "bsf:v": carrier.filters, "f": form})
        for name, form in zip(names, (carrier.form, "framecrc"), strict=True)
    ]
    if facts.audio is not None and facts.is_broadcast:
        sinks.append(argv.nowhere([file[str(facts.audio.index)]], {"c": "copy"}))
    return Extraction(argv.ffmpeg_argv(sinks, threads=1), names)


def read_text(track: CaptionFacts, content: bytes) -> Track:
    try:
        cues = srt.read(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error
    return Track(shortest(track.language), track.label, cues)


def read_pictures(codec: str, units: BinaryIO, times: Iterable[str], told: Announced, *, end: int) -> list[Track]:
    """The captions of every language that the stream tells of; else of the first channel or service that has any."""
    try:
        return _read(_CARRIERS[codec], _in_order(_pictures(units, times)), told, end)
    except ValueError as error:
        raise Unreadable("it is damaged") from error


def _read(carrier: _Carrier, pictures: Iterable[tuple[int, bytes]], told: Announced, end: int) -> list[Track]:
    line21, digital = screen.Decoder(), windows.Decoder()
    for time, data in pictures:
        end = max(end, time)
        for unit in _START_CODE.split(data):
            for one in carrier.read(unit) if unit else ():
                if one.kind < 2:
                    line21.take(screen.Sent(time, one.kind, one.first, one.second))
                else:
                    digital.take(time, one)
    channels, services = line21.ended(end), digital.ended(end)
    known = [(language, channels[2 * field]) for field, language in sorted(told.fields.items())]
    known += [(language, services.get(number, ())) for number, language in sorted(told.services.items())]
    if not any(cues for _, cues in known):
        known = [(UNDETERMINED, next((cues for cues in (*channels, *services.values()) if cues), ()))]
    return [Track(shortest(language), None, cues) for language, cues in known if cues]


_START_CODE: Final = re.compile(rb"\x00{2,}\x01")
REORDERED: Final = 32
"""Pictures that may be sent before one that is shown earlier, and more than any codec allows."""


def _in_order(pictures: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """As they are shown."""
    waiting: list[tuple[int, int, bytes]] = []
    for number, (time, data) in enumerate(pictures):
        heapq.heappush(waiting, (time, number, data))
        if len(waiting) > REORDERED:
            yield waiting[0][0], heapq.heappop(waiting)[2]
    while waiting:
        time, _, data = heapq.heappop(waiting)
        yield time, data


def _pictures(units: BinaryIO, times: Iterable[str]) -> Iterator[tuple[int, bytes]]:
    """Milliseconds, and all units of one picture, in the order in which they are sent."""
    tick = Fraction(1, 90_000)
    held: list[bytes] = []
    decoded = 0
    for line in times:
        if line.startswith("#tb 0:"):
            numerator, _, denominator = line.removeprefix("#tb 0:").strip().partition("/")
            tick = Fraction(int(numerator), int(denominator))
            continue
        listed = _listed(line)
        if listed is None:
            continue
        decoded, shown, size = listed
        data = units.read(size)
        if shown != decoded and held:
            yield round(decoded * tick * 1000), held.pop()
        if shown is None:
            held.append(data)
        else:
            yield round(shown * tick * 1000), data
    for data in held:
        yield round((decoded + 1) * tick * 1000), data


def _listed(line: str) -> tuple[int, int | None, int] | None:
    """When a picture is decoded and shown, and its size. A line of ffmpeg's list: stream, decoded, shown, duration, size, …

    Some containers do not tell when a picture is shown that is sent ahead of others. It is when the next of its kind is decoded.
    """
    fields = line.split(",")
    if line.startswith("#") or len(fields) < 6:
        return None
    shown = int(fields[2])
    return int(fields[1]), shown if shown != _UNKNOWN else None, int(fields[4])


_UNKNOWN: Final = -(1 << 63)
