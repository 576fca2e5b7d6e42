"""Fragments: the runs of samples in them, read and written with other sizes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.media.captions.mp4.header import NotRewritable, Track, children


@dataclass(frozen=True)
class Picture:
    """One sample of the picture's track."""

    offset: int
    size: int
    time: int
    """When it is shown, in ticks of the track."""


def regrown(moof: bytes, track: Track, growth: Sequence[int]) -> tuple[bytes, int]:
    """The box with the new sizes of pictures, and by how much its media grows."""
    runs = list(_runs(moof))
    sizes = {run: list(run.sizes) for run in runs}
    number = 0
    for run in runs:
        if run.track == track.id:
            for sample in range(len(run.sizes)):
                sizes[run][sample] += growth[number]
                number += 1
    longer = sum(4 * len(run.sizes) for run in runs if run.track == track.id and not run.tells_sizes)
    content = moof
    for run in reversed(runs):
        before = sum(sum(sizes[other]) - sum(other.sizes) for other in runs if other.offset < run.offset)
        told = run.written(sizes[run], run.offset + longer + before, with_sizes=run.track == track.id)
        content = content[: run.begin] + told + content[run.end :]
    content = _resized(content, moof, runs, track.id)
    return content, sum(growth)


def _resized(content: bytes, moof: bytes, runs: Sequence[Run], track: int) -> bytes:
    """The boxes around runs that grew told to be longer."""
    changed = bytearray(content)
    struct.pack_into(">I", changed, 0, len(content))
    shift = 0
    for kind, begin, end in children(moof, 8, len(moof)):
        if kind == b"traf":
            grown = sum(
                4 * len(run.sizes)
                for run in runs
                if begin < run.begin < end and run.track == track and not run.tells_sizes
            )
            struct.pack_into(">I", changed, begin + shift, end - begin + grown)
            shift += grown
    return bytes(changed)


def pictures_of(moof: bytes, offset: int, track: Track) -> Iterator[Picture]:
    for run in _runs(moof):
        if run.track == track.id:
            at = offset + run.offset
            for size, time in zip(run.sizes, run.times(track.default_duration), strict=True):
                yield Picture(at, size, time)
                at += size


@dataclass(frozen=True)
class Run:
    """Samples of one track that lie one after the other."""

    begin: int
    end: int
    """Of its box."""
    track: int
    flags: int
    head: bytes
    """Version, flags, count."""
    offset: int
    first_flags: bytes
    rows: tuple[tuple[int | None, int, int | None, int], ...]
    """Duration, size, flags and delay of every sample."""
    base: int
    default_duration: int | None

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(size for _, size, _, _ in self.rows)

    @property
    def tells_sizes(self) -> bool:
        return bool(self.flags & 0x200)

    def times(self, otherwise: int) -> Iterator[int]:
        at = self.base
        for duration, _, _, delay in self.rows:
            yield at + delay
            at += duration if duration is not None else self.default_duration or otherwise

    def written(self, sizes: Sequence[int], offset: int, *, with_sizes: bool) -> bytes:
        flags = self.flags | (0x200 if with_sizes else 0)
        body = self.head[:1] + flags.to_bytes(3, "big") + self.head[4:] + struct.pack(">i", offset) + self.first_flags
        for (duration, _, own, delay), size in zip(self.rows, sizes, strict=True):
            body += b"" if duration is None else struct.pack(">I", duration)
            body += struct.pack(">I", size) if flags & 0x200 else b""
            body += b"" if own is None else struct.pack(">I", own)
            body += struct.pack(">i", delay) if flags & 0x800 else b""
        return struct.pack(">I4s", 8 + len(body), b"trun") + body


def _runs(moof: bytes) -> Iterator[Run]:
    for kind, begin, end in children(moof, 8, len(moof)):
        if kind != b"traf":
            continue
        boxes = list(children(moof, begin + 8, end))
        head = next(box for box in boxes if box[0] == b"tfhd")
        track, duration, size = _defaults(moof, head[1])
        clock = next((box for box in boxes if box[0] == b"tfdt"), None)
        base = 0
        if clock is not None:
            (base,) = struct.unpack_from(">Q" if moof[clock[1] + 8] else ">I", moof, clock[1] + 12)
        for _, start, stop in (box for box in boxes if box[0] == b"trun"):
            yield _run(moof, start, stop, track, base, duration, size)


def _defaults(moof: bytes, at: int) -> tuple[int, int | None, int]:
    """Of a fragment of a track: its id, and how long and large its samples are where they do not say."""
    flags, track = struct.unpack_from(">II", moof, at + 8)
    at += 16 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    duration, size = None, 0
    if flags & 8:
        (duration,) = struct.unpack_from(">I", moof, at)
        at += 4
    if flags & 0x10:
        (size,) = struct.unpack_from(">I", moof, at)
    return track, duration, size


def _run(moof: bytes, begin: int, end: int, track: int, base: int, duration: int | None, size: int) -> Run:
    word, count = struct.unpack_from(">II", moof, begin + 8)
    flags, at = word & 0xFFFFFF, begin + 16
    if not flags & 1:
        raise NotRewritable("its runs do not say where they lie")
    (offset,) = struct.unpack_from(">i", moof, at)
    at += 4
    first_flags = moof[at : at + 4] if flags & 4 else b""
    at += len(first_flags)
    rows = []
    for _ in range(count):
        told: list[int | None] = []
        for flag, form in ((0x100, ">I"), (0x200, ">I"), (0x400, ">I"), (0x800, ">i")):
            if flags & flag:
                told.append(int(struct.unpack_from(form, moof, at)[0]))
                at += 4
            else:
                told.append(None)
        rows.append((told[0], size if told[1] is None else told[1], told[2], told[3] or 0))
    return Run(begin, end, track, flags, moof[begin + 8 : begin + 16], offset, first_flags, tuple(rows), base, duration)
