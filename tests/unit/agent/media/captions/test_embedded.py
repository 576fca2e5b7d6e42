"""Captions as they lie within pictures of every codec, and when their pictures are shown."""

from __future__ import annotations

from io import BytesIO

import pytest

from agent.media.captions import NOTHING_ANNOUNCED, Announced, Cue, Track, read_pictures
from agent.media.captions.line21 import with_parity
from agent.media.captions.sei import Triplet, written

START = b"\x00\x00\x01"
UNKNOWN = -(1 << 63)
SAYING_HI = ((0x14, 0x20), (0x14, 0x70), (0x48, 0x49), (0x14, 0x2F))
THEN_NOTHING = ((0x14, 0x2C),)


def in_h264(pair: tuple[int, int], field: int = 0) -> bytes:
    first, second = pair
    return START + written([Triplet(field, with_parity(first), with_parity(second))], 1)


def in_hevc(pair: tuple[int, int]) -> bytes:
    return START + bytes((39 << 1, 1)) + in_h264(pair)[len(START) + 1 :]


def in_mpeg2(pair: tuple[int, int]) -> bytes:
    first, second = pair
    return START + b"\xb2GA94\x03" + bytes((0xC1, 0xFF, 0xFC, with_parity(first), with_parity(second), 0xFF))


CODECS = {"h264": in_h264, "hevc": in_hevc, "mpeg2video": in_mpeg2}


def heard(codec: str, pictures: list[tuple[int, int, bytes]], told: Announced = NOTHING_ANNOUNCED) -> list[Track]:
    """`pictures`: when each is decoded and shown, in hundredths of a second, and what goes with it, in the order of the file."""
    lines = ["#tb 0: 1/100\n"]
    lines += [f"0, {decoded}, {shown}, 4, {len(data)}, 0x0, F=0x0\n" for decoded, shown, data in pictures]
    return read_pictures(codec, BytesIO(b"".join(data for *_, data in pictures)), lines, told, end=2_000)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_carries_them(codec: str) -> None:
    pairs = [CODECS[codec](pair) for pair in (*SAYING_HI, *THEN_NOTHING)]
    assert heard(codec, [(4 * at, 4 * at, data) for at, data in enumerate(pairs)]) == [
        Track("und", None, (Cue(120, 160, ("HI",)),))
    ]


def test_pictures_are_taken_as_they_are_shown() -> None:
    first, second, third, fourth = (in_h264(pair) for pair in SAYING_HI)
    sent = [(0, 4, first), (4, 16, fourth), (8, 8, second), (12, 12, third)]
    assert heard("h264", sent) == [Track("und", None, (Cue(160, 2_000, ("HI",)),))]


def test_what_is_sent_ahead_is_shown_when_the_next_of_its_kind_is_decoded() -> None:
    first, second, third, fourth = (in_mpeg2(pair) for pair in SAYING_HI)
    sent = [(0, UNKNOWN, first), (4, UNKNOWN, fourth), (8, 8, second), (12, 12, third)]
    assert heard("mpeg2video", sent) == [Track("und", None, (Cue(130, 2_000, ("HI",)),))]


def test_a_field_has_the_language_that_is_told_of_it() -> None:
    second_field = [
        in_h264(pair, field=1)
        for pair in ((0x15, second) if first == 0x14 else (first, second) for first, second in SAYING_HI)
    ]
    pictures = [(4 * at, 4 * at, in_h264(SAYING_HI[at]) + data) for at, data in enumerate(second_field)]
    cues = (Cue(120, 2_000, ("HI",)),)
    assert heard("h264", pictures) == [Track("und", None, cues)]
    assert heard("h264", pictures, Announced(fields={0: "eng", 1: "spa"})) == [
        Track("en", None, cues),
        Track("es", None, cues),
    ]
    assert heard("h264", pictures, Announced(services={3: "fra"})) == [Track("und", None, cues)], (
        "nothing is sent there"
    )
