"""Captions within an input: the command lines that take them out, and the reading of what comes out.

Text tracks are converted by ffmpeg. Of H.264 pictures only the units that may hold captions are copied, with the times of
their pictures: nothing is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from agent.media import argv
from agent.media.captions import screen, sei, srt
from agent.media.captions.cues import Cues, Track, Unreadable
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


def of_pictures(place: int, facts: MediaFacts) -> Extraction | None:
    """The units that go with H.264 pictures, and beside them a list of their sizes and times."""
    if facts.video is None or facts.video.codec != "h264":
        return None
    file = argv.source(f"in/{place}", threads=1)
    copied = {"c:v": "copy", "bsf:v": f"h264_mp4toannexb,filter_units=pass_types={sei.NAL_TYPE}"}
    names = (f"s{place}.h264", f"s{place}.times")
    sinks = [
        argv.sink([file[str(facts.video.index)]], f"{OUT}/{name}", {**copied, "f": form})
        for name, form in zip(names, ("h264", "framecrc"), strict=True)
    ]
    return Extraction(argv.ffmpeg_argv(sinks, threads=1), names)


def read_text(track: CaptionFacts, content: bytes) -> Track:
    try:
        cues = srt.read(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error
    return Track(shortest(track.language), track.label, cues)


def read_pictures(units: bytes, times: bytes, *, end: int) -> Track:
    """Line 21 tells no language."""
    try:
        return Track(UNDETERMINED, None, _read(units, times, end))
    except ValueError as error:
        raise Unreadable("it is damaged") from error


def _read(units: bytes, times: bytes, end: int) -> Cues:
    pictures = sorted(_pictures(units, times.decode("ascii", "replace").splitlines()))
    return screen.read(_pairs(pictures), end=max(end, pictures[-1][0] if pictures else 0))


def _pairs(pictures: Iterable[tuple[int, bytes]]) -> Iterator[screen.Sent]:
    """In the order in which pictures are shown."""
    for time, data in pictures:
        for unit in _START_CODE.split(data):
            if unit and unit[0] & 0x1F == sei.NAL_TYPE:
                for one in sei.triplets(unit):
                    if one.kind < 2:
                        yield screen.Sent(time, one.kind, one.first, one.second)


_START_CODE: Final = re.compile(rb"\x00{2,}\x01")


def _pictures(units: bytes, times: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """Milliseconds, and all units of one picture. A line of ffmpeg's list: stream, decoded at, shown at, duration, size, …"""
    tick = Fraction(1, 90_000)
    at = 0
    for line in times:
        if line.startswith("#tb 0:"):
            numerator, _, denominator = line.removeprefix("#tb 0:").strip().partition("/")
            tick = Fraction(int(numerator), int(denominator))
        elif not line.startswith("#") and line.count(",") >= 5:
            fields = line.split(",")
            size = int(fields[4])
            yield round(int(fields[2]) * tick * 1000), units[at : at + size]
            at += size
