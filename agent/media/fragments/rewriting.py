"""A fragmented file from another one: each track in fragments of its own, encrypted, or on the clock of Smooth Streaming.

Read and written fragment by fragment, in constant memory. What stands in front of them tells their sizes; it has the same length
whatever it tells, so it is written last, in the room that was left.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final
from uuid import UUID

from agent.media import boxes
from agent.media.boxes import ReadAt
from agent.media.fragments.cenc import Cenc, encrypted, protected
from agent.media.fragments.samples import Run, Sample, fragment_of, runs_of
from agent.media.fragments.tracks import Track, tracks_of
from agent.media.fragments.tree import HEADER, Box, full, parsed

SMOOTH_CLOCK: Final = 10_000_000
SMOOTH_TIME: Final = UUID("6d1d9b05-42d5-44e6-80e2-141daff757b2")
STARTS_WITH_PICTURE: Final = 1 << 31 | 1 << 28
LATER_SIZE: Final = 0x7FFFFFFF


@dataclass(frozen=True)
class Refragment:
    """What is to become of a file."""

    smooth: bool
    """For servers of Smooth Streaming too: their clock, the time in every fragment, nothing that an edit leaves out."""
    cenc: Cenc | None = None
    system_header: Box | None = None
    first_track: int = 0
    """Number of its first track among all that have the key."""


@dataclass(frozen=True)
class Written:
    """Where a fragment of a track lies, and from when on it plays."""

    track: int
    time: int
    offset: int


def rewritten(read: ReadAt, take: ReadAt, target: BinaryIO, how: Refragment) -> None:
    """Raises NotIndexed or ValueError where the file is none of ours. `take` reads the fragments, in their order and each once."""
    index = boxes.index_of(read)
    ftyp, moov, *_ = parsed(read(0, index.initialization.last + 1))
    tracks = tracks_of(moov)
    head = bytes(_ftyp(ftyp, how)) + bytes(_moov(moov, tracks, how))
    subsegments: list[tuple[int, int]] = []
    room = len(head) + len(bytes(_sidx(tracks[0], how, [(0, 0)] * len(index.references))))
    target.seek(room)
    written: list[Written] = []
    done = dict.fromkeys((track.id for track in tracks), 0)
    offset, number = index.media, 0
    for reference in index.references:
        started = target.tell()
        ticks = 0
        for run in _runs(take(offset, reference.size), tracks, how):
            number += 1
            is_first = run.track.id == tracks[0].id
            ticks += run.duration if is_first else 0
            written.append(Written(run.track.id, run.time, target.tell()))
            target.write(_fragment(number, run, how, done[run.track.id], tracks))
            done[run.track.id] += len(run.samples)
        subsegments.append((target.tell() - started, ticks))
        offset += reference.size
    target.write(bytes(mfra(written, tracks)))
    target.seek(0)
    target.write(head + bytes(_sidx(tracks[0], how, subsegments)))


def _runs(fragment: bytes, tracks: Sequence[Track], how: Refragment) -> Iterator[Run]:
    moof = next(box for box in parsed(fragment[: _moof_size(fragment)]) if box.kind == b"moof")
    for run in runs_of(fragment, moof, {track.id: track for track in tracks}):
        changed = _on_smooth_clock(run) if how.smooth else run
        if changed.samples:
            yield changed


def _moof_size(fragment: bytes) -> int:
    size, kind = struct.unpack_from(">I4s", fragment)
    if kind != b"moof":
        raise ValueError("a fragment does not begin as one")
    return int(size)


def _fragment(number: int, run: Run, how: Refragment, done: int, tracks: Sequence[Track]) -> bytes:
    auxiliary: tuple[Box, ...] = ()
    if how.cenc is not None:
        position = [track.id for track in tracks].index(run.track.id)
        run, auxiliary = encrypted(run, how.cenc.of_track(how.first_track + position), done)
    extra = (smooth_time(run),) if how.smooth else ()
    return fragment_of(number, run, auxiliary=auxiliary, extra=extra)


# The clock of Smooth Streaming ----------------------------------------------------------------------------------------


def _on_smooth_clock(run: Run) -> Run:
    """Its times in ten millionths of a second, and no edit needed.

    What one leaves out of a sound is left out; pictures are shown that much sooner.
    """
    samples, time, skipped = run.samples, run.time, run.track.skipped
    if not run.track.is_picture:
        while samples and time < skipped and time + samples[0].duration <= skipped:
            time += samples[0].duration
            samples = samples[1:]
        time, shown = max(0, time - skipped), 0
    else:
        shown = skipped

    def scaled(ticks: int) -> int:
        return round(ticks * SMOOTH_CLOCK / run.track.timescale)

    changed: list[Sample] = []
    at = time
    for sample in samples:
        duration = scaled(at + sample.duration) - scaled(at)
        changed.append(replace(sample, duration=duration, composition=scaled(sample.composition - shown)))
        at += sample.duration
    return replace(run, time=scaled(time), samples=tuple(changed))


def smooth_time(run: Run) -> Box:
    return Box(b"uuid", SMOOTH_TIME.bytes + struct.pack(">IQQ", 1 << 24, run.time, run.duration))


# What stands in front and behind --------------------------------------------------------------------------------------


def _ftyp(ftyp: Box, how: Refragment) -> Box:
    return replace(ftyp, content=ftyp.content + b"isml" + b"piff") if how.smooth else ftyp


def _moov(moov: Box, tracks: Sequence[Track], how: Refragment) -> Box:
    traks = zip(moov.all(b"trak"), tracks, strict=True)
    moov = moov.changed([(trak, _trak(trak, track, how)) for trak, track in traks])
    return moov if how.system_header is None else moov.having(how.system_header)


def _trak(trak: Box, track: Track, how: Refragment) -> Box:
    if how.smooth:
        header = trak.at(b"mdia", b"mdhd")
        at = 20 if header.content[0] else 12
        clock = struct.pack(">I", SMOOTH_CLOCK)
        content = header.content[:at] + clock + header.content[at + 4 :]
        trak = trak.lacking(b"edts").exchanged((b"mdia", b"mdhd"), replace(header, content=content))
    if how.cenc is not None:
        path = (b"mdia", b"minf", b"stbl", b"stsd")
        entry = protected(track, how.cenc)
        trak = trak.exchanged(path, full(b"stsd", 0, 0, struct.pack(">I", 1) + bytes(entry)))
    return trak


def _sidx(track: Track, how: Refragment, subsegments: Sequence[tuple[int, int]]) -> Box:
    """Sizes and durations, from the first fragment on, which follows at once."""
    clock = SMOOTH_CLOCK if how.smooth else track.timescale
    table = b"".join(struct.pack(">III", size & LATER_SIZE, ticks, STARTS_WITH_PICTURE) for size, ticks in subsegments)
    head = struct.pack(">IIQQHH", track.id, clock, 0, 0, 0, len(subsegments))
    return full(b"sidx", 1, 0, head + table)


def mfra(written: Sequence[Written], tracks: Sequence[Track]) -> Box:
    """Where each track's fragments are: what servers of Smooth Streaming find them by."""
    entries = []
    for track in tracks:
        own = [one for one in written if one.track == track.id]
        table = b"".join(struct.pack(">QQBBB", one.time, one.offset, 1, 1, 1) for one in own)
        entries.append(full(b"tfra", 1, 0, struct.pack(">III", track.id, 0, len(own)) + table))
    size = HEADER + sum(len(bytes(entry)) for entry in entries) + 16
    return Box(b"mfra", b"", (*entries, full(b"mfro", 0, 0, struct.pack(">I", size))))
