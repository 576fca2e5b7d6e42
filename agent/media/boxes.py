"""The few boxes of an MP4 file that a manifest speaks of (ISO/IEC 14496-12), read without reading the media."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

ReadAt = Callable[[int, int], bytes]
"""At most so many bytes (second) from an offset (first) on."""

HEADER: Final = 8
LARGEST_INDEX: Final = 4 << 20


@dataclass(frozen=True)
class Reference:
    """One fragment, as the index tells of it."""

    size: int
    seconds: float


@dataclass(frozen=True)
class ByteRange:
    """Both ends inclusive, as HTTP and manifests count."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @property
    def length(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Index:
    initialization: ByteRange
    index: ByteRange
    references: tuple[Reference, ...]
    media: int
    """Where the first fragment begins."""
    header: bytes
    """The moov box."""


class NotIndexed(ValueError):
    """The file lacks the header or the index in front of its fragments."""


def index_of(read: ReadAt) -> Index:
    moov: tuple[int, int] | None = None
    for kind, offset, size in boxes_of(read):
        if kind == b"moov":
            moov = (offset, size)
        elif kind == b"sidx" and moov is not None:
            skipped, references = _references(read(offset, min(size, LARGEST_INDEX)))
            return Index(
                initialization=ByteRange(0, moov[0] + moov[1] - 1),
                index=ByteRange(offset, offset + size - 1),
                references=references,
                media=offset + size + skipped,
                header=read(moov[0], min(moov[1], LARGEST_INDEX)),
            )
        elif kind == b"moof":
            break
    raise NotIndexed("no index stands before the first fragment")


def repeated_brand(head: bytes) -> int | None:
    """Where a file's list of brands names the major one again."""
    size, kind, major = struct.unpack_from(">I4s4s", head)
    if kind != b"ftyp":
        return None
    brands = [head[at : at + 4] for at in range(HEADER + 8, size, 4)]
    return HEADER + 8 + 4 * brands.index(major) if major in brands else None


def boxes_of(read: ReadAt) -> Iterator[tuple[bytes, int, int]]:
    offset = 0
    while len(header := read(offset, HEADER)) == HEADER:
        size, kind = struct.unpack(">I4s", header)
        if size < HEADER:
            return  # a large or open-ended box: never before the first fragment of ours
        yield kind, offset, size
        offset += size


def _references(box: bytes) -> tuple[int, tuple[Reference, ...]]:
    """The fragments, and how many bytes lie between the index and the first of them."""
    version = box[HEADER]
    (timescale,) = struct.unpack_from(">I", box, HEADER + 8)
    _, skipped = struct.unpack_from(">II" if version == 0 else ">QQ", box, HEADER + 12)
    table = HEADER + 12 + (8 if version == 0 else 16)
    (count,) = struct.unpack_from(">H", box, table + 2)
    entries = (struct.unpack_from(">III", box, table + 4 + 12 * entry) for entry in range(count))
    return skipped, tuple(Reference(size & 0x7FFFFFFF, duration / timescale) for size, duration, _ in entries)
