"""What a server of Smooth Streaming finds in a file that was written for it."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from agent.media.boxes import ReadAt, boxes_of
from agent.media.fragments.rewriting import SMOOTH_TIME
from agent.media.fragments.tracks import Track, tracks_of
from agent.media.fragments.tree import parsed


@dataclass(frozen=True)
class Chunk:
    """A fragment of one track: a moof with its mdat."""

    time: int
    duration: int
    size: int


def chunks_of(read: ReadAt) -> Mapping[int, tuple[Chunk, ...]]:
    """By the ids of tracks."""
    found: dict[int, list[Chunk]] = defaultdict(list)
    for kind, offset, size in boxes_of(read):
        if kind != b"moof":
            continue
        [moof] = parsed(read(offset, size))
        traf = moof[b"traf"]
        (track,) = struct.unpack_from(">I", traf[b"tfhd"].content, 4)
        (mdat,) = struct.unpack(">I", read(offset + size, 4))
        when = next(box.content for box in traf.all(b"uuid") if box.content.startswith(SMOOTH_TIME.bytes))
        time, duration = struct.unpack_from(">QQ", when, 20)
        found[track].append(Chunk(time, duration, size + mdat))
    return {track: tuple(chunks) for track, chunks in found.items()}


def tracks_in(header: bytes) -> tuple[Track, ...]:
    """Of a moov box."""
    return tracks_of(parsed(header)[0])
