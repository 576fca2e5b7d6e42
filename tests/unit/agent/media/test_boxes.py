"""The index of an MP4 file, found without reading its media."""

from __future__ import annotations

import struct

import pytest

from agent.media.boxes import ByteRange, NotIndexed, Reference, index_of
from agent.media.codecs import from_movie_header, from_transport_stream, of_audio
from tests.unit.agent.media.produced import box, sidx


def reading(data: bytes):  # type: ignore[no-untyped-def]
    return lambda offset, length: data[offset : offset + length]


@pytest.mark.parametrize("version", [0, 1])
def test_the_index_stands_between_header_and_fragments(version: int) -> None:
    ftyp, moov, index = box(b"ftyp", b"isom"), box(b"moov", b"header"), sidx(version, (5000, 2000), (3000, 1500))
    found = index_of(reading(ftyp + moov + index + box(b"moof") + box(b"mdat", b"x" * 100)))
    assert found.initialization == ByteRange(0, len(ftyp + moov) - 1)
    assert str(found.index) == f"{len(ftyp + moov)}-{len(ftyp + moov + index) - 1}"
    assert found.references == (Reference(5000, 2.0), Reference(3000, 1.5))
    assert found.header == moov


def test_of_several_indices_the_first_counts() -> None:
    found = index_of(reading(box(b"moov") + sidx(1, (5000, 2000)) + sidx(1, (7, 7))))
    assert found.references == (Reference(5000, 2.0),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",
        box(b"moov"),
        box(b"moov") + box(b"moof") + sidx(0, (1, 1)),
        sidx(0, (1, 1)),
        struct.pack(">I4s", 0, b"mdat"),
    ],
)
def test_a_file_without_index_is_told_apart(data: bytes) -> None:
    with pytest.raises(NotIndexed):
        index_of(reading(data))


def test_the_codec_string_is_what_the_bytes_say() -> None:
    assert from_movie_header(box(b"moov", b"....avcC\x01\x4d\x40\x1f\xff")) == "avc1.4D401F"
    assert from_movie_header(box(b"moov", b"mp4a")) is None
    assert (
        from_transport_stream(b"G@\x00\x10\x00\x00\x01\x09\xf0\x00\x00\x00\x01\x67\x42\xc0\x1e\xd9", "h264")
        == "avc1.42C01E"
    )
    assert from_transport_stream(b"G@\x00\x10", "h264") is None
    assert (of_audio("aac"), of_audio("mp2")) == ("mp4a.40.2", None)
