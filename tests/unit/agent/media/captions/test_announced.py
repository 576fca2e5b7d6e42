"""Languages of captions, as a transport stream tells them in its tables."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from agent.media.captions import Announced, announced
from tests.streams import caption_services, section, transport_packets

MAP_ID = 0x1000


def a_stream(programme: bytes = b"", picture: bytes = b"") -> bytes:
    first = section(0, 1, struct.pack(">HH", 1, 0xE000 | MAP_ID))
    told = struct.pack(">BHH", 0x02, 0xE100, 0xF000 | len(picture)) + picture
    second = section(2, 1, struct.pack(">HH", 0xE100, 0xF000 | len(programme)) + programme + told)
    return transport_packets(0, first) + transport_packets(MAP_ID, second)


def test_services_and_fields_have_the_languages_that_are_told() -> None:
    services = caption_services(("eng", 1), ("spa", 2), ("fra", None))
    expected = Announced(services={1: "eng", 2: "spa"}, fields={0: "fra"})
    assert announced(a_stream(programme=services)) == expected
    assert announced(a_stream(picture=services)) == expected


def test_a_table_may_be_longer_than_a_packet() -> None:
    long = b"\x05\xf0" + bytes(240)
    assert announced(a_stream(programme=long + caption_services(("deu", 1)))) == Announced(services={1: "deu"})


def test_what_is_no_language_is_none() -> None:
    assert announced(a_stream(programme=caption_services(("e1g", 1), ("\0\0\0", 2)))) == Announced()


def test_a_stream_without_tables_announces_nothing() -> None:
    assert announced(b"") == announced(bytes(188)) == announced(b"\x47" * 188 * 4) == Announced()


@given(st.data())
def test_a_damaged_table_is_no_error(data: st.DataObject) -> None:
    stream = bytearray(a_stream(programme=caption_services(("eng", 1), ("spa", 2))))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(announced(bytes(stream)), Announced)
