"""One fragment taken apart into the samples of its tracks, and put together again, a track by itself."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.media.fragments.tracks import Defaults, Track
from agent.media.fragments.tree import HEADER, Box, full

DATA_OFFSET: Final = 0x1
FIRST_FLAGS: Final = 0x4
DURATIONS: Final = 0x100
SIZES: Final = 0x200
FLAGS: Final = 0x400
COMPOSITION: Final = 0x800
DEFAULT_BASE_IS_MOOF: Final = 0x20000


@dataclass(frozen=True)
class Sample:
    duration: int
    flags: int
    composition: int
    """By how much it is shown later than it is decoded."""
    data: bytes


@dataclass(frozen=True)
class Run:
    """The samples of one track in one fragment."""

    track: Track
    time: int
    """When the first of them is decoded."""
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> int:
        return sum(sample.duration for sample in self.samples)


def runs_of(fragment: bytes, moof: Box, tracks: Mapping[int, Track]) -> tuple[Run, ...]:
    """`fragment` begins with the `moof`; what offsets are counted from."""
    return tuple(_run(fragment, traf, tracks) for traf in moof.all(b"traf"))


def _run(fragment: bytes, traf: Box, tracks: Mapping[int, Track]) -> Run:
    header = traf[b"tfhd"].content
    flags, track_id = struct.unpack_from(">II", header)
    track = tracks[track_id]
    defaults = _defaults(header, flags & 0xFFFFFF, track.defaults)
    times = traf[b"tfdt"].content
    (time,) = struct.unpack_from(">Q" if times[0] else ">I", times, 4)
    samples = [sample for trun in traf.all(b"trun") for sample in _samples(fragment, trun.content, defaults)]
    return Run(track, time, tuple(samples))


def _defaults(header: bytes, flags: int, others: Defaults) -> Defaults:
    at, found = 8, [others.duration, others.size, others.flags]
    at += 8 if flags & 0x1 else 0
    at += 4 if flags & 0x2 else 0
    for number, present in enumerate((0x8, 0x10, 0x20)):
        if flags & present:
            (found[number],) = struct.unpack_from(">I", header, at)
            at += 4
    return Defaults(*found)


def _samples(fragment: bytes, trun: bytes, defaults: Defaults) -> list[Sample]:
    head, count, offset = struct.unpack_from(">IIi", trun)
    version, flags = head >> 24, head & 0xFFFFFF
    if not flags & DATA_OFFSET:
        raise ValueError("a run of samples does not say where they are")
    at = 12
    first_flags = None
    if flags & FIRST_FLAGS:
        (first_flags,) = struct.unpack_from(">I", trun, at)
        at += 4
    samples = []
    for number in range(count):
        duration, size, own, composition = defaults.duration, defaults.size, defaults.flags, 0
        if flags & DURATIONS:
            (duration,), at = struct.unpack_from(">I", trun, at), at + 4
        if flags & SIZES:
            (size,), at = struct.unpack_from(">I", trun, at), at + 4
        if flags & FLAGS:
            (own,), at = struct.unpack_from(">I", trun, at), at + 4
        if flags & COMPOSITION:
            (composition,), at = struct.unpack_from(">i" if version else ">I", trun, at), at + 4
        if number == 0 and first_flags is not None:
            own = first_flags
        samples.append(Sample(duration, own, composition, fragment[offset : offset + size]))
        offset += size
    return samples


def fragment_of(number: int, run: Run, *, auxiliary: Sequence[Box] = (), extra: Sequence[Box] = ()) -> bytes:
    """A moof and its mdat. `auxiliary` are boxes of the track's that go in front of `extra`; see `with_offset`."""
    boxes = (*auxiliary, *extra)
    before = _moof(number, run, 0, boxes)
    moof = _moof(number, run, len(bytes(before)) + HEADER, boxes)
    data = b"".join(sample.data for sample in run.samples)
    return bytes(moof) + struct.pack(">I4s", HEADER + len(data), b"mdat") + data


def _moof(number: int, run: Run, data_offset: int, boxes: Sequence[Box]) -> Box:
    track = full(b"tfhd", 0, DEFAULT_BASE_IS_MOOF, struct.pack(">I", run.track.id))
    time = full(b"tfdt", 1, 0, struct.pack(">Q", run.time))
    traf = [track, time, _trun(run.samples, data_offset), *boxes]
    placed = _placed(traf, start=HEADER + 16 + HEADER)
    return Box(b"moof", b"", (full(b"mfhd", 0, 0, struct.pack(">I", number)), Box(b"traf", b"", tuple(placed))))


def _placed(traf: Sequence[Box], start: int) -> list[Box]:
    """With the place of the samples' vectors known to the box that points at it."""
    at, where = start, {}
    for box in traf:
        where[box.kind] = at
        at += len(bytes(box))
    vectors = where.get(b"senc", 0) + HEADER + 8
    return [full(b"saio", 0, 0, struct.pack(">II", 1, vectors)) if box.kind == b"saio" else box for box in traf]


def _trun(samples: Sequence[Sample], data_offset: int) -> Box:
    table = b"".join(
        struct.pack(">IIIi", sample.duration, len(sample.data), sample.flags, sample.composition) for sample in samples
    )
    flags = DATA_OFFSET | DURATIONS | SIZES | FLAGS | COMPOSITION
    return full(b"trun", 1, flags, struct.pack(">Ii", len(samples), data_offset) + table)
