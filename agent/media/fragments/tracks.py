"""What the header of a fragmented file says of its tracks."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from agent.media.fragments.tree import HEADER, Box, parsed

_FIXED: Final = {b"vide": 78, b"soun": 28}
"""Bytes of a sample entry in front of its boxes."""


@dataclass(frozen=True)
class Defaults:
    """Of samples, where fragments do not say otherwise."""

    duration: int
    size: int
    flags: int


@dataclass(frozen=True)
class Track:
    id: int
    handler: bytes
    """What it is to players: vide or soun."""
    timescale: int
    entry: Box
    """Its only sample entry; what is in it is not taken apart."""
    defaults: Defaults
    skipped: int
    """What an edit leaves out at the beginning, in its own time."""

    @property
    def is_picture(self) -> bool:
        return self.handler == b"vide"

    @property
    def fixed(self) -> int:
        return _FIXED[self.handler]

    @property
    def configuration(self) -> bytes:
        """What decoders are set up with: avcC of H.264, esds of AAC."""
        kind = b"avcC" if self.is_picture else b"esds"
        return next(box.content for box in parsed(self.entry.content[self.fixed :]) if box.kind == kind)

    @property
    def length_size(self) -> int:
        """Bytes of the length in front of every NAL unit."""
        return (self.configuration[4] & 3) + 1


def tracks_of(moov: Box) -> tuple[Track, ...]:
    defaults = dict(map(_defaults, moov[b"mvex"].all(b"trex")))
    return tuple(_track(trak, defaults) for trak in moov.all(b"trak"))


def parameter_sets(configuration: bytes) -> tuple[bytes, ...]:
    """Of H.264, as they stand in its configuration record."""
    sets, at = [], 6
    for count in (configuration[5] & 0x1F, None):
        number = configuration[at] if count is None else count
        at += count is None
        for _ in range(number):
            (length,) = struct.unpack_from(">H", configuration, at)
            sets.append(configuration[at + 2 : at + 2 + length])
            at += 2 + length
    return tuple(sets)


def audio_configuration(esds: bytes) -> bytes:
    """Of AAC: what its descriptor holds for decoders."""
    at = 4
    while at < len(esds):
        tag, length, at = _descriptor(esds, at)
        if tag == _DECODER_SPECIFIC:
            return esds[at : at + length]
        at += _OWN_FIELDS.get(tag, length)
    raise ValueError("no decoder's configuration in the descriptor")


_DECODER_SPECIFIC: Final = 5
_OWN_FIELDS: Final = {3: 3, 4: 13}
"""Bytes of descriptors in front of the descriptors within."""


def _descriptor(data: bytes, at: int) -> tuple[int, int, int]:
    """Its tag, its length, and where its content begins."""
    tag, length = data[at], 0
    while True:
        at += 1
        length = length << 7 | data[at] & 0x7F
        if not data[at] & 0x80:
            return tag, length, at + 1


def _track(trak: Box, defaults: dict[int, Defaults]) -> Track:
    header = trak[b"tkhd"].content
    (track_id,) = struct.unpack_from(">I", header, 20 if header[0] else 12)
    media = trak.at(b"mdia", b"mdhd").content
    (timescale,) = struct.unpack_from(">I", media, 20 if media[0] else 12)
    stsd = trak.at(b"mdia", b"minf", b"stbl", b"stsd").content
    return Track(
        id=track_id,
        handler=trak.at(b"mdia", b"hdlr").content[8:12],
        timescale=timescale,
        entry=parsed(stsd[HEADER:])[0],
        defaults=defaults[track_id],
        skipped=_skipped(trak),
    )


def _skipped(trak: Box) -> int:
    try:
        edits = trak.at(b"edts", b"elst").content
    except KeyError:
        return 0
    (count,) = struct.unpack_from(">I", edits, 4)
    if count != 1:
        return 0
    (start,) = struct.unpack_from(">q", edits, 16) if edits[0] else struct.unpack_from(">i", edits, 12)
    return max(0, int(start))


def _defaults(trex: Box) -> tuple[int, Defaults]:
    track_id, _, duration, size, flags = struct.unpack_from(">5I", trex.content, 4)
    return track_id, Defaults(duration, size, flags)
