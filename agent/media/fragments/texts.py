"""A fragmented file of timed text, in which servers of Smooth Streaming find it: one track, a document in every fragment."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.media.fragments.rewriting import SMOOTH_CLOCK, Written, mfra, smooth_time
from agent.media.fragments.samples import Run, Sample, fragment_of
from agent.media.fragments.tracks import Defaults, Track
from agent.media.fragments.tree import Box, full

NEEDS_NO_OTHER: Final = 2 << 24
"""Flags of a sample."""
_ENTRY: Final = Box(b"dfxp", bytes(6) + struct.pack(">H", 1))
TEXT_TRACK: Final = 1
_TRACK: Final = Track(TEXT_TRACK, b"text", SMOOTH_CLOCK, _ENTRY, Defaults(0, 0, 0), 0)
_UPRIGHT: Final = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


@dataclass(frozen=True)
class Document:
    """What is shown within a stretch, in ten millionths of a second. The times in it count from the beginning of the film."""

    time: int
    duration: int
    content: bytes


def text_track(documents: Sequence[Document], language: str) -> bytes:
    """`language`: three letters of ISO 639-2."""
    made = bytes(Box(b"ftyp", b"isml" + struct.pack(">I", 1) + b"isml" + b"piff" + b"iso2")) + bytes(_moov(language))
    written = []
    for document, fragment in zip(documents, _fragments(documents), strict=True):
        written.append(Written(_TRACK.id, document.time, len(made)))
        made += fragment
    return made + bytes(mfra(written, [_TRACK]))


def _fragments(documents: Sequence[Document]) -> Iterator[bytes]:
    for number, document in enumerate(documents, start=1):
        sample = Sample(document.duration, NEEDS_NO_OTHER, 0, document.content)
        run = Run(_TRACK, document.time, (sample,))
        yield fragment_of(number, run, extra=(smooth_time(run),))


def _moov(language: str) -> Box:
    movie = (
        struct.pack(">IIIIIH10x", 0, 0, SMOOTH_CLOCK, 0, 1 << 16, 1 << 8) + _UPRIGHT + bytes(24) + struct.pack(">I", 2)
    )
    header = struct.pack(">IIIII8xHHHH", 0, 0, _TRACK.id, 0, 0, 0, 0, 0, 0) + _UPRIGHT + bytes(8)
    trak = Box(b"trak", b"", (full(b"tkhd", 0, 7, header), _mdia(language)))
    defaults = full(b"trex", 0, 0, struct.pack(">5I", _TRACK.id, 1, 0, 0, 0))
    return Box(b"moov", b"", (full(b"mvhd", 0, 0, movie), trak, Box(b"mvex", b"", (defaults,))))


def _mdia(language: str) -> Box:
    packed = 0
    for letter in language:
        packed = packed << 5 | (ord(letter) - 0x60)
    clock = full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, SMOOTH_CLOCK, 0, packed, 0))
    handler = full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, _TRACK.handler) + b"\0")
    itself = full(b"dref", 0, 0, struct.pack(">I", 1) + bytes(full(b"url ", 0, 1, b"")))
    tables = [full(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc", b"stco")]
    described = full(b"stsd", 0, 0, struct.pack(">I", 1) + bytes(_ENTRY))
    stbl = Box(b"stbl", b"", (described, *tables, full(b"stsz", 0, 0, bytes(8))))
    minf = Box(b"minf", b"", (full(b"nmhd", 0, 0, b""), Box(b"dinf", bytes(itself)), stbl))
    return Box(b"mdia", b"", (clock, handler, minf))
