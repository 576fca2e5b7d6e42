"""The little of an MPEG transport stream (ISO/IEC 13818-1) that playlists speak of: where its single pictures lie.

Packets are not taken apart one by one: the bytes that matter are those at one place in every packet, so each place is looked at
for thousands of packets at once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.media.boxes import ByteRange, ReadAt

PACKET: Final = 188
AT_ONCE: Final = 8192 * PACKET
CLOCK: Final = 90_000
_SYNC: Final = 0x47
_STARTS: Final = 0x40
_HAS_ADAPTATION: Final = 0x20
_RANDOM_ACCESS: Final = 0x40
_PAT: Final = 0
_MAP_HEAD: Final = 12
_VIDEO_STREAM: Final = 0xE0
_IS_TIMED: Final = 0x80
_VIDEO_TYPES: Final = frozenset({0x01, 0x02, 0x1B, 0x24})


@dataclass(frozen=True)
class Still:
    """A picture that needs no other."""

    offset: int
    size: int
    seconds: float
    """On the clock of the stream."""


@dataclass(frozen=True)
class Tables:
    """What a player must have read before anything else."""

    range: ByteRange
    video: int | None
    """The id of the packets that carry the picture."""


class NotTransport(ValueError):
    """The bytes are no transport stream, or its tables are not where a segment begins."""


def tables(head: bytes) -> Tables:
    """From the beginning of a segment."""
    map_id: int | None = None
    for at in range(0, len(head) - PACKET + 1, PACKET):
        if head[at] != _SYNC:
            break
        packet_id = _id(head, at)
        if packet_id == _PAT:
            section = _section(head, at)
            map_id = struct.unpack_from(">H", section, 10)[0] & 0x1FFF
        elif map_id is not None and packet_id == map_id:
            return Tables(ByteRange(0, at + PACKET - 1), _video_id(_section(head, at)))
    raise NotTransport("no tables stand at the beginning")


def descriptors(head: bytes, tag: int) -> Iterator[bytes]:
    """Of the first programme and its streams, those with this tag, without tag and length; nothing where there is no table."""
    section = _programme_map(head)
    if len(section) < _MAP_HEAD:
        return
    end = min(len(section), 3 + (struct.unpack_from(">H", section, 1)[0] & 0x0FFF) - 4)
    at, size = _MAP_HEAD, struct.unpack_from(">H", section, 10)[0] & 0x0FFF
    while True:
        yield from _tagged(section[at : min(at + size, end)], tag)
        at += size
        if at + 5 > end:
            return
        size, at = struct.unpack_from(">H", section, at + 3)[0] & 0x0FFF, at + 5


def _tagged(loop: bytes, tag: int) -> Iterator[bytes]:
    at = 0
    while at + 2 <= len(loop):
        kind, size = loop[at], loop[at + 1]
        if kind == tag:
            yield loop[at + 2 : at + 2 + size]
        at += 2 + size


def _programme_map(head: bytes) -> bytes:
    """The table that the first table names, from as many packets as it takes."""
    map_id: int | None = None
    section = b""
    for at in range(0, len(head) - PACKET + 1, PACKET):
        if head[at] != _SYNC:
            break
        starts = bool(head[at + 1] & _STARTS)
        if map_id is None and _id(head, at) == _PAT and starts:
            first = _section(head, at)
            map_id = struct.unpack_from(">H", first, 10)[0] & 0x1FFF if len(first) >= _MAP_HEAD else None
        elif map_id is not None and _id(head, at) == map_id and (starts or section):
            section = _section(head, at) if starts else section + head[_payload(head, at) : at + PACKET]
            if len(section) >= 3 and len(section) >= 3 + (struct.unpack_from(">H", section, 1)[0] & 0x0FFF):
                return section
    return b""


def stills(read: ReadAt, size: int, video: int) -> Iterator[Still]:
    """Every picture of a segment that needs no other: from its first packet to its last, with what lies between them."""
    began: tuple[int, float] | None = None
    last = 0
    for base in range(0, size, AT_ONCE):
        chunk = read(base, AT_ONCE)
        packets = _Packets(chunk, video)
        done = 0
        for number in packets.starts():
            last = packets.last(done, number, otherwise=last - base) + base
            if began is not None:
                yield Still(began[0], last + PACKET - began[0], began[1])
            at, done = number * PACKET, number
            began = (base + at, _time(chunk, at)) if _is_random_access(chunk, at) else None
        last = packets.last(done, len(packets), otherwise=last - base) + base
    if began is not None:
        yield Still(began[0], last + PACKET - began[0], began[1])


def first_picture(head: bytes) -> int:
    """When the earliest picture that begins there is shown, in ticks of the stream's clock."""
    times = [
        _ticks(head, at)
        for at in range(0, len(head) - PACKET + 1, PACKET)
        if head[at + 1] & _STARTS and _begins_picture(head, _payload(head, at))
    ]
    return min(times, default=0)


def _begins_picture(chunk: bytes, at: int) -> bool:
    return chunk[at : at + 3] == b"\0\0\1" and chunk[at + 3] & 0xF0 == _VIDEO_STREAM and bool(chunk[at + 7] & _IS_TIMED)


class _Packets:
    """Those of one id among the packets of a chunk."""

    def __init__(self, chunk: bytes, wanted: int) -> None:
        self._upper, self._lower = chunk[1::PACKET], chunk[2::PACKET]
        self._high, self._low = wanted >> 8, wanted & 0xFF

    def __len__(self) -> int:
        return min(len(self._upper), len(self._lower))

    def starts(self) -> Iterator[int]:
        """The numbers of packets in which a picture starts."""
        number = self._upper.find(self._high | _STARTS)
        while 0 <= number < len(self):
            if self._lower[number] == self._low:
                yield number
            number = self._upper.find(self._high | _STARTS, number + 1)

    def last(self, first: int, end: int, *, otherwise: int) -> int:
        """Where the last one lies from the first packet to the end, which is not counted."""
        number = self._lower.rfind(self._low, first, end)
        while number >= 0 and self._upper[number] & 0x1F != self._high:
            number = self._lower.rfind(self._low, first, number)
        return number * PACKET if number >= 0 else otherwise


def _is_random_access(chunk: bytes, at: int) -> bool:
    return bool(chunk[at + 3] & _HAS_ADAPTATION and chunk[at + 4] and chunk[at + 5] & _RANDOM_ACCESS)


def _time(chunk: bytes, at: int) -> float:
    """When the picture that starts in a packet is shown."""
    return _ticks(chunk, at) / CLOCK


def _ticks(chunk: bytes, at: int) -> int:
    stamp = chunk[_payload(chunk, at) + 9 :][:5]
    return (stamp[0] & 0x0E) << 29 | stamp[1] << 22 | (stamp[2] & 0xFE) << 14 | stamp[3] << 7 | stamp[4] >> 1


def _id(chunk: bytes, at: int) -> int:
    return (chunk[at + 1] & 0x1F) << 8 | chunk[at + 2]


def _payload(chunk: bytes, at: int) -> int:
    return at + (5 + chunk[at + 4] if chunk[at + 3] & _HAS_ADAPTATION else 4)


def _section(chunk: bytes, at: int) -> bytes:
    start = _payload(chunk, at)
    return chunk[start + 1 + chunk[start] : at + PACKET]


def _video_id(section: bytes) -> int | None:
    length = 3 + (struct.unpack_from(">H", section, 1)[0] & 0x0FFF) - 4
    at = 12 + (struct.unpack_from(">H", section, 10)[0] & 0x0FFF)
    while at + 5 <= length:
        kind, packet_id, described = struct.unpack_from(">BHH", section, at)
        if kind in _VIDEO_TYPES:
            found: int = packet_id & 0x1FFF
            return found
        at += 5 + (described & 0x0FFF)
    return None
