"""What a file says of the track of its picture, and how its boxes lie in each other."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from agent.media.boxes import ReadAt

Box = tuple[bytes, int, int]
"""Its kind, where it begins, where it ends."""


class NotRewritable(ValueError):
    """The file is not as ffmpeg writes it."""


class Track:
    """Of the picture, in the header."""

    def __init__(self, header: bytes, boxes: dict[bytes, Box], default_duration: int) -> None:
        self._header = header
        self._boxes = boxes
        self.default_duration = default_duration
        version = header[boxes[b"tkhd"][1] + 8]
        (self.id,) = struct.unpack_from(">I", header, boxes[b"tkhd"][1] + (28 if version else 20))
        version = header[boxes[b"mdhd"][1] + 8]
        (self.timescale,) = struct.unpack_from(">I", header, boxes[b"mdhd"][1] + (28 if version else 20))

    @classmethod
    def of_pictures(cls, header: bytes) -> Track:
        for kind, begin, end in children(header, 8, len(header)):
            boxes = dict(_descendants(header, begin + 8, end)) if kind == b"trak" else {}
            if b"hdlr" in boxes and header[boxes[b"hdlr"][1] + 16 :][:4] == b"vide":
                track = cls(header, boxes, 0)
                for _, at, _ in every(header, b"trex"):
                    if struct.unpack_from(">I", header, at + 12)[0] == track.id:
                        (track.default_duration,) = struct.unpack_from(">I", header, at + 20)
                return track
        raise NotRewritable("it has no picture")

    def inner(self, kind: bytes) -> Box:
        return self._boxes[kind]

    def sizes(self) -> Iterator[int]:
        at = self.inner(b"stsz")[1]
        fixed, count = struct.unpack_from(">II", self._header, at + 12)
        if fixed:
            raise NotRewritable("its pictures are of one size")
        return iter(struct.unpack_from(f">{count}I", self._header, at + 20))

    def times(self) -> Iterator[int]:
        delays = self._pairs(b"ctts") if b"ctts" in self._boxes else iter(())
        at = 0
        for duration in self._pairs(b"stts"):
            yield at + next(delays, 0)
            at += duration

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Where each begins, and how many samples it has."""
        kind, form = (b"stco", ">I") if b"stco" in self._boxes else (b"co64", ">Q")
        at = self.inner(kind)[1]
        (count,) = struct.unpack_from(">I", self._header, at + 12)
        counts = self._counts(count)
        for number in range(count):
            (offset,) = struct.unpack_from(form, self._header, at + 16 + struct.calcsize(form) * number)
            yield offset, next(counts)

    def _counts(self, chunks: int) -> Iterator[int]:
        at = self.inner(b"stsc")[1]
        (rows,) = struct.unpack_from(">I", self._header, at + 12)
        table = [struct.unpack_from(">II", self._header, at + 16 + 12 * row) for row in range(rows)]
        for row, (first, count) in enumerate(table):
            until = table[row + 1][0] if row + 1 < rows else chunks + 1
            for _ in range(first, until):
                yield count

    def _pairs(self, kind: bytes) -> Iterator[int]:
        at = self.inner(kind)[1]
        (rows,) = struct.unpack_from(">I", self._header, at + 12)
        for row in range(rows):
            count, value = struct.unpack_from(">Ii", self._header, at + 16 + 8 * row)
            for _ in range(count):
                yield value


def file_boxes(read: ReadAt) -> Iterator[Box]:
    at = 0
    while len(head := read(at, 16)) >= 8:
        size, kind = struct.unpack_from(">I4s", head)
        if size == 1:
            (size,) = struct.unpack_from(">Q", head, 8)
        if size < 8:
            raise NotRewritable("a box has no end")
        yield kind, at, at + size
        at += size


def children(data: bytes, begin: int, end: int) -> Iterator[Box]:
    at = begin
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > end:
            raise NotRewritable("a box is longer than the one around it")
        yield kind, at, at + size
        at += size


_HOLDERS: Final = frozenset({b"trak", b"mdia", b"minf", b"stbl", b"mvex"})


def _descendants(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, Box]]:
    for box in children(data, begin, end):
        yield box[0], box
        if box[0] in _HOLDERS:
            yield from _descendants(data, box[1] + 8, box[2])


def every(data: bytes, kind: bytes) -> Iterator[Box]:
    return (box for name, box in _descendants(data, 8, len(data)) if name == kind)
