"""Pictures found in transport streams of which every packet is known."""

from __future__ import annotations

import pytest

from agent.media import transport
from agent.media.transport import AT_ONCE, PACKET, NotTransport, Still

VIDEO, AUDIO, MAP = 0x100, 0x101, 0x1000


def packet(packet_id: int, *, starts: bool = False, random_access: bool = False, payload: bytes = b"") -> bytes:
    """With an adaptation field that fills it up."""
    room = PACKET - 4 - len(payload)
    adaptation = bytes([room - 1, 0x40 if random_access else 0]) + b"\xff" * (room - 2)
    head = bytes([0x47, packet_id >> 8 | (0x40 if starts else 0), packet_id & 0xFF, 0x30])
    return head + adaptation + payload


def picture(packets: int, seconds: float, *, key: bool = False) -> bytes:
    ticks = round(seconds * 90_000)
    stamp = bytes(
        [
            0x21 | ticks >> 29 & 0x0E,
            ticks >> 22 & 0xFF,
            ticks >> 14 & 0xFE | 1,
            ticks >> 7 & 0xFF,
            ticks << 1 & 0xFE | 1,
        ]
    )
    first = packet(VIDEO, starts=True, random_access=key, payload=b"\0\0\1\xe0\0\0\x80\x80\5" + stamp)
    return first + packet(VIDEO, payload=b"x" * 150) * (packets - 1)


def section(content: bytes) -> bytes:
    return b"\0" + bytes([content[0], 0xB0, len(content) - 1 + 4]) + content[1:] + b"crc!"


def tables(*streams: tuple[int, int]) -> bytes:
    programs = section(b"\0\0\1\xc1\0\0\0\1" + (0xE000 | MAP).to_bytes(2, "big"))
    entries = b"".join(bytes([kind]) + (0xE000 | one).to_bytes(2, "big") + b"\xf0\0" for kind, one in streams)
    mapped = section(b"\2\0\1\xc1\0\0" + (0xE000 | VIDEO).to_bytes(2, "big") + b"\xf0\0" + entries)
    return packet(0, starts=True, payload=programs) + packet(MAP, starts=True, payload=mapped)


def stills(content: bytes) -> list[Still]:
    return list(transport.stills(lambda offset, length: content[offset : offset + length], len(content), VIDEO))


def test_tables_end_with_the_map_and_name_the_picture() -> None:
    found = transport.tables(packet(17) + tables((0x0F, AUDIO), (0x1B, VIDEO)) + picture(3, 1.0, key=True))
    assert (found.range.first, found.range.last, found.video) == (0, 3 * PACKET - 1, VIDEO)


def test_sound_alone_has_no_picture() -> None:
    assert transport.tables(tables((0x0F, AUDIO))).video is None


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, picture(3, 1.0)])
def test_what_does_not_begin_with_tables_is_refused(content: bytes) -> None:
    with pytest.raises(NotTransport):
        transport.tables(content)


def test_a_still_ends_with_its_own_last_packet() -> None:
    sound = packet(AUDIO, starts=True, payload=b"x" * 100)
    head = tables((0x1B, VIDEO))
    content = head + picture(3, 1.0, key=True) + sound + picture(2, 1.04) + picture(4, 2.0, key=True) + sound
    assert stills(content) == [
        Still(len(head), 3 * PACKET, 1.0),
        Still(len(head) + 6 * PACKET, 4 * PACKET, 2.0),
    ]


def test_sound_between_the_packets_of_a_picture_is_in_its_range() -> None:
    first, second = picture(1, 1.0, key=True), packet(VIDEO, payload=b"y" * 100)
    assert stills(first + packet(AUDIO) * 3 + second + packet(AUDIO)) == [Still(0, 5 * PACKET, 1.0)]


def test_a_picture_may_begin_in_one_portion_and_end_in_another() -> None:
    filler = packet(AUDIO) * (AT_ONCE // PACKET - 2)
    long = picture(5, 3.0, key=True)
    assert stills(filler + long + picture(1, 3.04)) == [Still(len(filler), 5 * PACKET, 3.0)]


def test_pictures_that_need_others_are_none() -> None:
    assert stills(picture(3, 1.0) + picture(3, 1.04)) == []
