"""The code of CEA-608: what is sent is what a receiver shows, in all three manners."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.media.captions import Cue, scc, screen, sei
from agent.media.captions.line21 import RATE, is_written, scheduled
from agent.media.captions.screen import Sent
from agent.media.captions.sei import Triplet

EVERY = "aZ09 áéíóúçñÑ÷█®°½¿™¢£♪àèâêîôûÁÉÓÚÜü‘¡*'—©℠•“”ÀÂÇÈÊËëÎÏïÔÙùÛ«»ÃãÍÌìÒòÕõ{}\\^_|~ÄäÖöß¥¤│ÅåØø┌┐└┘"


def shown(cues: tuple[Cue, ...]) -> tuple[Cue, ...]:
    pairs = scheduled(cues)
    sent = [Sent(round(slot * 1000 / RATE), 0, *pair) for slot, pair in sorted(pairs.items())]
    return screen.read(sent, end=10**9)


@pytest.mark.parametrize("start", range(0, len(EVERY), 20))
def test_every_letter_arrives(start: int) -> None:
    text = "x" + EVERY[start : start + 20].strip()
    (cue,) = shown((Cue(5_000, 6_000, (text,)),))
    assert cue.lines == (" ".join(text.split()),)


@given(st.integers(0, 10**8), st.integers(100, 10_000), st.text("abc♪É", min_size=1, max_size=30))
def test_captions_are_on_time_within_a_frame(gap: int, length: int, text: str) -> None:
    start = 3_000 + gap
    (cue,) = shown((Cue(start, start + length, (text,)),))
    assert (cue.start, cue.end) == (pytest.approx(start, abs=17), pytest.approx(start + length, abs=17))
    assert cue.lines == (text,)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500), st.text("ab ", min_size=1)), max_size=20))
def test_none_is_lost_when_there_are_too_many(spoken: list[tuple[int, int, str]]) -> None:
    at, cues = 0, []
    for gap, length, text in spoken:
        cues.append(Cue(at + gap, at + gap + length, (f"x{text}",)))
        at += gap + length
    said = " ".join(" ".join(cue.lines) for cue in cues).split()
    heard = shown(tuple(cues))
    assert " ".join(" ".join(cue.lines) for cue in heard).split() == said
    assert all(one.end <= other.start for one, other in pairwise(heard))


def sent(*codes: str, field: int = 0, step: int = 100) -> list[Sent]:
    return [Sent(step * at, field, *bytes.fromhex(code)) for at, code in enumerate(" ".join(codes).split())]


def test_lines_roll_up() -> None:
    """Two rows: each carriage return pushes the first out."""
    words = {letter: f"{ord(letter):02x}00" for letter in "abc"}
    pairs = sent("1425 1425 142d", words["a"], "142d", words["b"], "142d", words["c"])
    assert screen.read(pairs, end=2_000) == (
        Cue(300, 400, ("a",)),
        Cue(400, 600, ("a", "b")),
        Cue(600, 2_000, ("b", "c")),
    )


def test_captions_are_painted_on_and_erased() -> None:
    assert screen.read(sent("1429 1470 6162 6300 142c"), end=9_000) == (Cue(200, 400, ("abc",)),)


def test_the_first_channel_that_has_any_is_taken() -> None:
    second = sent("1c29 1c70 6162 1c2c")
    third = sent("1529 1570 6364 152c", field=1)
    assert screen.read([*second, *third], end=9_000) == (Cue(200, 300, ("ab",)),)
    assert screen.read(third, end=9_000) == (Cue(200, 300, ("cd",)),)


def test_data_of_the_programme_are_no_captions() -> None:
    assert screen.read(sent("1529 1570 0101 6162 0f3c 6364 152c", field=1), end=9_000) == (Cue(500, 600, ("cd",)),)


def test_time_codes_keep_up_with_the_clock() -> None:
    assert scc.time_code(1_799) == "00:00:59;29"
    assert scc.time_code(1_800) == "00:01:00;02"
    assert scc.time_code(17_982) == "00:10:00;00"
    assert scc.time_code(107_892) == "01:00:00;00"


@given(st.lists(st.builds(Triplet, st.integers(0, 3), st.integers(0, 255), st.integers(0, 255)), max_size=20))
def test_units_say_what_was_put_into_them(triplets: list[Triplet]) -> None:
    unit = sei.written(triplets, 20)
    assert list(sei.triplets(unit)) == triplets
    assert not any(bytes((0, 0, code)) in unit[:-1] for code in range(3))


@given(st.binary(max_size=60))
def test_damaged_units_say_nothing_wrong(noise: bytes) -> None:
    assert len(list(sei.triplets(b"\x06\x04\x20\xb5\x00\x31GA94\x03" + noise))) <= 31
    assert list(sei.triplets(noise[:4])) == []


@pytest.mark.parametrize(("letter", "is_there"), [("é", True), ("ő", True), ("…", True), ("я", False), ("お", False)])
def test_letters_that_have_a_like_are_written(letter: str, is_there: bool) -> None:
    assert is_written(letter) is is_there
