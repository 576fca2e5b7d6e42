"""SEI units put into the pictures of an MPEG transport stream (ISO/IEC 13818-1), packet by packet.

The packets of everything else stay as they are; those of the picture are cut anew, and keep their clocks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from agent.media.captions.units import in_stream

PACKET: Final = 188
CLOCK: Final = 90_000
ROOM: Final = PACKET - 4
_SYNC: Final = 0x47
_START: Final = 0x40
_ADAPTED: Final = 0x20
_FILLED: Final = 0x10
_CLOCKED: Final = 0x10
_VIDEO: Final = 0xE0
_TIMED: Final = 0x80

UnitAt = Callable[[int], bytes]
"""The unit of the picture that is shown at a time, in ticks of the stream's clock."""


class Inserter:
    """Goes through all segments of an output: what is counted goes on from one to the next."""

    def __init__(self, unit_at: UnitAt) -> None:
        self._unit_at = unit_at
        self._packet_id: int | None = None
        self._count: int | None = None

    def rewritten(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Of one segment, which begins with whole pictures and ends with them. Chunks are of whole packets."""
        held: list[bytes] = []
        for chunk in chunks:
            for at in range(0, len(chunk), PACKET):
                packet = chunk[at : at + PACKET]
                if self._begins_picture(packet) and held:
                    yield self._rebuilt(held)
                    held = []
                if held or self._is_picture(packet):
                    held.append(packet)
                else:
                    yield packet
        if held:
            yield self._rebuilt(held)

    def _begins_picture(self, packet: bytes) -> bool:
        if not packet[1] & _START or not packet[3] & _FILLED:
            return False
        begin = _payload(packet)
        if packet[begin : begin + 3] != b"\0\0\1" or packet[begin + 3] & 0xF0 != _VIDEO:
            return False
        self._packet_id = _id(packet)
        return True

    def _is_picture(self, packet: bytes) -> bool:
        return self._packet_id is not None and _id(packet) == self._packet_id

    def _rebuilt(self, held: list[bytes]) -> bytes:
        """One picture, and what lay between its packets."""
        filled = [packet for packet in held if self._is_picture(packet) and packet[3] & _FILLED]
        if self._count is None:
            self._count = filled[0][3] & 0x0F
        data = self._with_unit(b"".join(packet[_payload(packet) :] for packet in filled))
        rebuilt: list[bytes] = []
        for packet in held:
            if not self._is_picture(packet):
                rebuilt.append(packet)
            elif not packet[3] & _FILLED:
                rebuilt.append(packet[:3] + bytes((packet[3] & 0xF0 | (self._count - 1) % 16,)) + packet[4:])
            elif data:
                made, data = self._next(packet, data)
                rebuilt.append(made)
        while data:
            made, data = self._next(filled[0][:1] + bytes((filled[0][1] & ~_START, filled[0][2], _FILLED)), data)
            rebuilt.append(made)
        return b"".join(rebuilt)

    def _with_unit(self, data: bytes) -> bytes:
        """PES packets of pictures tell no length, as a rule; where one does, it is told anew."""
        if not data[7] & _TIMED:
            return data
        begin = 9 + data[8]
        picture = in_stream(data[begin:], self._unit_at(_ticks(data, 9)))
        length = int(struct.unpack_from(">H", data, 4)[0])
        if length:
            length += len(picture) - (len(data) - begin)
        return data[:4] + struct.pack(">H", length if length < 1 << 16 else 0) + data[6:begin] + picture

    def _next(self, packet: bytes, data: bytes) -> tuple[bytes, bytes]:
        """A packet with as much of the data as it takes, and the rest."""
        adaptation = _clock(packet)
        room = ROOM - (1 + len(adaptation) if adaptation else 0)
        taken, rest = data[:room], data[room:]
        missing = room - len(taken)
        if missing and not adaptation:
            field = b"\0" if missing == 1 else bytes((missing - 1, 0)) + b"\xff" * (missing - 2)
        elif adaptation:
            field = bytes((len(adaptation) + missing,)) + adaptation + b"\xff" * missing
        else:
            field = b""
        assert self._count is not None
        flags = packet[3] & 0xC0 | _FILLED | (_ADAPTED if field else 0) | self._count
        self._count = (self._count + 1) % 16
        return packet[:3] + bytes((flags,)) + field + taken, rest


def _clock(packet: bytes) -> bytes:
    """What is to be kept of an adaptation field: its flags, and the clock if there is one."""
    if not packet[3] & _ADAPTED or len(packet) < 6 or packet[4] == 0:
        return b""
    flags = packet[5]
    return bytes((flags & 0xF0,)) + (packet[6:12] if flags & _CLOCKED else b"") if flags else b""


def _payload(packet: bytes) -> int:
    return 5 + packet[4] if packet[3] & _ADAPTED else 4


def _id(packet: bytes) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


def _ticks(data: bytes, at: int) -> int:
    upper, middle, lower = data[at] & 0x0E, int.from_bytes(data[at + 1 : at + 3], "big"), data[at + 3 : at + 5]
    return upper << 29 | (middle & 0xFFFE) << 14 | int.from_bytes(lower, "big") >> 1
