"""How manifests name codecs: bytes of real files, with the strings that other tools make of them."""

from __future__ import annotations

import pytest

from agent.media import codecs


@pytest.mark.parametrize(
    ("box", "content", "string"),
    [
        (b"avcC", "014d401fffe1", "avc1.4D401F"),
        (b"hvcC", "0101600000009000000000003cf000fcfdf8f800", "hvc1.1.6.L60.90"),
        (b"hvcC", "0122200000009000000000005df000fcfdf8f800", "hvc1.2.4.H93.90"),
        (b"hvcC", "01010000000000000000000078f000fcfdf8f800", "hvc1.1.0.L120"),
        (b"av1C", "81000c000a0b", "av01.0.00M.08"),
        (b"av1C", "81084c000a0b", "av01.0.08M.10"),
        (b"av1C", "814dec000a0b", "av01.2.13H.12"),
        (b"vpcC", "01000000", None),
    ],
)
def test_pictures_are_named_by_their_configuration(box: bytes, content: str, string: str | None) -> None:
    assert codecs.from_movie_header(b"\0\0\1\0" + box + bytes.fromhex(content)) == string


@pytest.mark.parametrize(
    ("codec", "units", "string"),
    [
        ("h264", "000000016742c01eda02", "avc1.42C01E"),
        ("hevc", "00000001460150000000014201010160000003009000000300000300 3ca00a080f", "hev1.1.6.L60.90"),
        ("hevc", "0000000142010122200000030090000003000003005da00a080f16", "hev1.2.4.H93.90"),
        ("hevc", "0000000142010122", None),
        pytest.param("mpeg2video", "000001 47 01001c", None, id="a packet that ends as a unit would begin"),
    ],
)
def test_pictures_in_transport_streams_are_named_by_their_parameter_sets(
    codec: str, units: str, string: str | None
) -> None:
    assert codecs.from_transport_stream(bytes.fromhex(units), codec) == string


@pytest.mark.parametrize(("codec", "string"), [("aac", "mp4a.40.2"), ("opus", "opus"), ("mp2", None)])
def test_sounds_are_named_by_their_codec(codec: str, string: str | None) -> None:
    assert codecs.of_audio(codec) == string
