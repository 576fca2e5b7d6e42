"""Whole files and fragmented ones: first their boxes are read, then they are copied with changes, a picture at a time."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from typing import Final

from agent.media.boxes import ReadAt
from agent.media.captions.mp4.fragments import Picture, pictures_of, regrown
from agent.media.captions.mp4.header import Box, NotRewritable, Track, every, file_boxes
from agent.media.captions.units import in_sample

LARGEST_HEADER: Final = 256 << 20
PORTION: Final = 1 << 20
LENGTH: Final = 4
"""Bytes in front of every unit."""


@dataclass(frozen=True)
class Fragment:
    box: Box
    end: int
    """Of the media that belongs to it."""
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Movie:
    """What is to be known of a file before anything is written."""

    boxes: tuple[Box, ...]
    header: bytes
    timescale: int
    pictures: tuple[Picture, ...]
    fragments: tuple[Fragment, ...]

    @property
    def every_picture(self) -> tuple[Picture, ...]:
        return self.pictures or tuple(picture for one in self.fragments for picture in one.pictures)


@dataclass(frozen=True)
class Change:
    """So many bytes that are replaced by others."""

    offset: int
    length: int
    content: bytes


def movie(read: ReadAt) -> Movie:
    boxes = tuple(file_boxes(read))
    moov = next((box for box in boxes if box[0] == b"moov"), None)
    if moov is None or moov[2] - moov[1] > LARGEST_HEADER:
        raise NotRewritable("it has no header")
    header = read(moov[1], moov[2] - moov[1])
    track = Track.of_pictures(header)
    fragments = []
    for number, box in enumerate(boxes):
        if box[0] == b"moof":
            end = boxes[number + 1][2] if number + 1 < len(boxes) else box[2]
            fragments.append(Fragment(box, end, tuple(pictures_of(read(box[1], box[2] - box[1]), box[1], track))))
    pictures = () if fragments else tuple(_samples(header, track))
    return Movie(boxes, header, track.timescale, pictures, tuple(fragments))


def rewritten(found: Movie, read: ReadAt, take: ReadAt, units: Sequence[bytes]) -> Iterator[bytes]:
    """The file with a unit in every picture, both in the order of `Movie.every_picture`.

    `take` reads what is written next: from the beginning of the file to its end, and each part once.
    """
    growth = [LENGTH + len(unit) for unit in units]
    edits: list[tuple[int, int, bytes | int]] = [
        (change.offset, change.length, change.content) for change in _changes(found, read, growth)
    ]
    edits += [(picture.offset, picture.size, number) for number, picture in enumerate(found.every_picture)]
    at = 0
    for offset, length, made in sorted(edits, key=itemgetter(0)):
        yield from _portions(take, at, offset)
        yield made if isinstance(made, bytes) else in_sample(take(offset, length), units[made])
        at = offset + length
    yield from _portions(take, at, found.boxes[-1][2])


def _portions(take: ReadAt, begin: int, end: int) -> Iterator[bytes]:
    for at in range(begin, end, PORTION):
        yield take(at, min(PORTION, end - at))


def _changes(found: Movie, read: ReadAt, growth: Sequence[int]) -> Iterator[Change]:
    """Of everything that tells sizes and places, in its order, when every picture grows by so many bytes."""
    return _of_fragments(found, read, growth) if found.fragments else _of_whole(found, growth)


def _of_whole(found: Movie, growth: Sequence[int]) -> Iterator[Change]:
    order = sorted(range(len(found.pictures)), key=lambda number: found.pictures[number].offset)
    ends = [found.pictures[number].offset for number in order]
    grown = [0, *accumulate(growth[number] for number in order)]
    for kind, begin, end in found.boxes:
        if kind == b"moov":
            header = bytearray(found.header)
            track = Track.of_pictures(found.header)
            at = track.inner(b"stsz")[1] + 20
            for number, picture in enumerate(found.pictures):
                struct.pack_into(">I", header, at + 4 * number, picture.size + growth[number])
            for name, form in ((b"stco", ">I"), (b"co64", ">Q")):
                for _, chunks, _ in every(found.header, name):
                    _move(header, chunks, form, ends, grown)
            yield Change(begin, end - begin, bytes(header))
        elif kind == b"mdat":
            yield from _enlarged(found, begin, end, grown[-1])


def _move(header: bytearray, chunks: int, form: str, offsets: Sequence[int], grown: Sequence[int]) -> None:
    (count,) = struct.unpack_from(">I", header, chunks + 12)
    width = struct.calcsize(form)
    for number in range(count):
        at = chunks + 16 + width * number
        (offset,) = struct.unpack_from(form, header, at)
        moved = offset + grown[bisect_right(offsets, offset - 1)]
        if moved >= 1 << 8 * width:
            raise NotRewritable("it is too large")
        struct.pack_into(form, header, at, moved)


def _enlarged(found: Movie, begin: int, end: int, by: int) -> Iterator[Change]:
    """The size of the box with the media; a long one has it behind its kind."""
    size = end - begin
    first = min(picture.offset for picture in found.pictures)
    if first - begin >= 16 and size >= 1 << 32:
        yield Change(begin + 8, 8, struct.pack(">Q", size + by))
    elif size + by < 1 << 32:
        yield Change(begin, 4, struct.pack(">I", size + by))
    else:
        raise NotRewritable("it is too large")


def _samples(header: bytes, track: Track) -> Iterator[Picture]:
    sizes, times = list(track.sizes()), list(track.times())
    number = 0
    for offset, count in track.chunks():
        for _ in range(count):
            yield Picture(offset, sizes[number], times[number])
            offset += sizes[number]
            number += 1


def _of_fragments(found: Movie, read: ReadAt, growth: Sequence[int]) -> Iterator[Change]:
    made: dict[int, tuple[bytes, int]] = {}
    track, first = Track.of_pictures(found.header), 0
    for one in found.fragments:
        own = growth[first : first + len(one.pictures)]
        first += len(one.pictures)
        made[one.box[1]] = regrown(read(one.box[1], one.box[2] - one.box[1]), track, own)
    for number, (kind, begin, end) in enumerate(found.boxes):
        if kind == b"sidx":
            yield _reindexed(read(begin, end - begin), begin, found, made)
        elif kind == b"moof":
            box, media = made[begin]
            yield Change(begin, end - begin, box)
            _, start, stop = found.boxes[number + 1]
            yield Change(start, 4, struct.pack(">I", stop - start + media))
        elif kind == b"mfra":
            yield Change(begin, end - begin, b"")


def _reindexed(index: bytes, offset: int, found: Movie, made: dict[int, tuple[bytes, int]]) -> Change:
    changed = bytearray(index)
    table = 20 + (8 if index[8] == 0 else 16)
    (count,) = struct.unpack_from(">H", index, table + 2)
    if count != len(found.fragments):
        raise NotRewritable("its index is not of its fragments")
    for number, one in enumerate(found.fragments):
        at = table + 4 + 12 * number
        box, media = made[one.box[1]]
        (word,) = struct.unpack_from(">I", index, at)
        struct.pack_into(">I", changed, at, word + len(box) - (one.box[2] - one.box[1]) + media)
    return Change(offset, len(index), bytes(changed))
