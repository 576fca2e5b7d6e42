"""Transport streams written by hand, with tables that no muxer here writes (ISO/IEC 13818-1, ATSC A/65)."""

from __future__ import annotations

import struct
from pathlib import Path

PACKET = 188


def caption_services(*told: tuple[str, int | None]) -> bytes:
    """A descriptor: languages of services, or of the first field of line 21 where the number is None."""
    entries = b"".join(
        language.encode() + bytes((0xC0 | number if number is not None else 0x7E, 0x3F, 0xFF))
        for language, number in told
    )
    return bytes((0x86, 1 + len(entries), 0xE0 | len(told))) + entries


def section(table: int, number: int, body: bytes) -> bytes:
    head = struct.pack(">BHHBBB", table, 0xB000 | (5 + len(body) + 4), number, 0xC1, 0, 0)
    return head + body + struct.pack(">I", crc(head + body))


def crc(data: bytes) -> int:
    """CRC-32/MPEG-2."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C11DB7 if rest & 0x80000000 else 0)) & 0xFFFFFFFF
    return rest


def transport_packets(packet_id: int, content: bytes) -> bytes:
    """A section in as many packets as it takes."""
    left, packets, first = b"\0" + content, b"", True
    for counter in range(1 + len(left) // (PACKET - 4)):
        head = struct.pack(">BHB", 0x47, packet_id | (0x4000 if first else 0), 0x10 | counter & 15)
        packets += (head + left[: PACKET - 4]).ljust(PACKET, b"\xff")
        left, first = left[PACKET - 4 :], False
    return packets


def announce(file: Path, services: bytes) -> None:
    """Into every table of programmes that ffmpeg wrote (which takes one packet), a descriptor."""
    stream = bytearray(file.read_bytes())
    for at in range(0, len(stream), PACKET):
        packet_id = struct.unpack_from(">H", stream, at + 1)[0]
        if packet_id == 0x5000:
            table = stream[at + 5 :][: 3 + (struct.unpack_from(">H", stream, at + 6)[0] & 0x0FFF)]
            number, told = struct.unpack_from(">H", table, 3)[0], struct.unpack_from(">H", table, 10)[0] & 0x0FFF
            body = bytes(table[8:10]) + struct.pack(">H", 0xF000 | told + len(services))
            body += bytes(table[12 : 12 + told]) + services + bytes(table[12 + told : -4])
            stream[at + 5 : at + PACKET] = section(2, number, body).ljust(PACKET - 5, b"\xff")
    file.write_bytes(stream)
