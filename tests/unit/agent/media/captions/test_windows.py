"""The code of CEA-708: packets as the standard spells them, and what a receiver makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.media.captions import Cue, Unreadable, dtvcc, windows
from agent.media.captions.sei import Triplet

SEEN, UNSEEN = 0x20, 0
NOBODY: dict[int, tuple[Cue, ...]] = dict.fromkeys(windows.SERVICES, ())


def define(number: int, *, seen: int, rows: int = 1, top: int = 90) -> bytes:
    return bytes((0x98 + number, 0x18 | seen, top, 50, 7 << 4 | rows - 1, 31, 0x09))


def packet(*blocks: tuple[int, bytes], sequence: int = 0) -> list[Triplet]:
    body = b"".join(bytes((service << 5 | len(block),)) + block for service, block in blocks)
    pairs = (len(body) + 2) // 2
    whole = (bytes((sequence << 6 | pairs,)) + body).ljust(2 * pairs, b"\0")
    return [Triplet(2 if at else 3, whole[at], whole[at + 1]) for at in range(0, len(whole), 2)]


def heard(*sent: tuple[int, bytes], end: int = 10_000, service: int = 1) -> tuple[Cue, ...]:
    """What a service showed that was sent these blocks, each at its time."""
    decoder = windows.Decoder()
    for time, block in sent:
        for one in packet((service, block)):
            decoder.take(time, one)
    found = decoder.ended(end)
    assert {number: cues for number, cues in found.items() if number != service} == {
        number: () for number in windows.SERVICES if number != service
    }
    return found[service]


def test_what_is_written_unseen_pops_on() -> None:
    cues = heard(
        (500, define(0, seen=UNSEEN) + b"Hello\x03"),
        (1_000, b"\x89\x01"),
        (1_500, define(1, seen=UNSEEN) + b"World\x03"),
        (2_000, b"\x8c\x01\x89\x02"),
        (3_000, b"\x8a\x02"),
    )
    assert cues == (Cue(1_000, 2_000, ("Hello",)), Cue(2_000, 3_000, ("World",)))


def test_lines_roll_up() -> None:
    cues = heard(
        (0, define(0, seen=SEEN, rows=2)),
        (1_000, b"one"),
        (2_000, b"\rtwo"),
        (3_000, b"\r"),
        (3_500, b"three"),
        (4_000, b"\x88\x01"),
    )
    assert cues == (Cue(1_000, 3_000, ("one", "two")), Cue(3_000, 4_000, ("two", "three")))


def test_windows_are_read_from_top_to_bottom() -> None:
    low, high = define(0, seen=UNSEEN, top=80) + b"low", define(1, seen=UNSEEN, top=10) + b"high"
    assert heard((0, low + high), (1_000, b"\x89\x03"), (2_000, b"\x8b\x01"), (3_000, b"\x8f")) == (
        Cue(1_000, 2_000, ("high", "low")),
        Cue(2_000, 3_000, ("high",)),
    )


def test_the_pen_goes_where_it_is_sent() -> None:
    block = define(0, seen=UNSEEN, rows=2) + b"\x92\x01\x02below\x92\x00\x00above\x08E\x89\x01"
    assert heard((1_000, block), end=2_000) == (Cue(1_000, 2_000, ("abovE", "below")),)
    rewritten = define(0, seen=UNSEEN) + b"gone\x0ehere\x89\x01"
    assert heard((1_000, rewritten), end=2_000) == (Cue(1_000, 2_000, ("here",)),)
    cleared = define(0, seen=UNSEEN) + b"gone\x0cnow\x89\x01"
    assert heard((1_000, cleared), end=2_000) == (Cue(1_000, 2_000, ("now",)),)


def test_every_set_of_letters_is_known() -> None:
    letters = b"a\x7f\xe9\x10\x33\x10\x39\x18\x30\x42"
    unknown = b"\x10\x01\x10\x0fx\x10\x17xx\x10\x80xxxx\x10\x9f\x02xx\x10\x70!"
    cues = heard((0, define(0, seen=UNSEEN) + letters), (100, unknown), (200, b"\x89\x01"), end=1_000)
    assert cues == (Cue(200, 1_000, ("a♪é“™あ_!",)),)


def test_what_is_delayed_is_shown_later() -> None:
    block = define(0, seen=UNSEEN) + b"late\x8d\x05\x89\x01"
    assert heard((1_000, block), (1_200, b"\x8a\x01"), end=3_000) == ()
    assert heard((1_000, block), end=3_000) == (Cue(1_500, 3_000, ("late",)),)
    assert heard((1_000, block), (1_200, b"\x8e\x8a\x01\x89\x01"), end=3_000)[0].start == 1_200


def test_styles_and_colours_say_nothing() -> None:
    styles = b"\x90\x05\x00\x91\x3f\x3f\x00\x97\x00\x00\x00\x00"
    assert heard((0, define(0, seen=SEEN) + styles + b"plain"), end=1_000) == (Cue(0, 1_000, ("plain",)),)


def test_a_window_defined_anew_keeps_what_fits() -> None:
    blocks = define(0, seen=UNSEEN, rows=2) + b"first\rsecond", define(0, seen=SEEN, rows=1)
    assert heard((0, blocks[0]), (1_000, blocks[1]), end=2_000) == (Cue(1_000, 2_000, ("first",)),)


def test_services_do_not_mix() -> None:
    decoder = windows.Decoder()
    shown = define(0, seen=SEEN)
    for one in packet((1, shown + b"yes"), (2, shown + "sí".encode("latin-1"))):
        decoder.take(0, one)
    assert decoder.ended(1_000) == NOBODY | {1: (Cue(0, 1_000, ("yes",)),), 2: (Cue(0, 1_000, ("sí",)),)}


def test_what_interrupts_a_packet_takes_its_place() -> None:
    decoder = windows.Decoder()
    lost, whole = packet((1, define(0, seen=SEEN) + b"lost")), packet((1, define(0, seen=SEEN) + b"whole"))
    for one in [whole[3], *lost[:-1], *whole]:
        decoder.take(0, one)
    assert decoder.ended(1_000)[1] == (Cue(0, 1_000, ("whole",)),)


def through_packets(cues: tuple[Cue, ...], until: int) -> dict[int, tuple[Cue, ...]]:
    decoder = windows.Decoder()
    times = range(0, until, 40)
    for time, triplets in zip(times, dtvcc.packets(cues, times, 12), strict=True):
        for one in triplets:
            decoder.take(time, one)
    return decoder.ended(until)


@given(st.lists(st.text("abcÄŠœ“…♪あ ", min_size=1, max_size=30).filter(str.strip), max_size=6))
def test_what_we_write_is_read(said: list[str]) -> None:
    lines = [" ".join(line.split()) for line in said]
    cues = tuple(Cue(2_000 * at + 2_000, 2_000 * at + 3_000, (line,)) for at, line in enumerate(lines))
    found = through_packets(cues, 2_000 * len(cues) + 4_000)
    assert found == NOBODY | {1: cues}


@given(st.lists(st.tuples(st.integers(2, 3), st.binary(min_size=2, max_size=2)), max_size=200))
def test_noise_is_no_error(noise: list[tuple[int, bytes]]) -> None:
    decoder = windows.Decoder()
    for time, (kind, data) in enumerate(noise):
        decoder.take(40 * time, Triplet(kind, *data))
    assert decoder.ended(10_000).keys() == set(windows.SERVICES)


@given(st.binary(max_size=31))
def test_no_block_is_an_error(block: bytes) -> None:
    assert isinstance(heard((0, define(0, seen=SEEN)), (10, block), (20, block)), tuple)


def test_more_captions_than_anybody_reads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MAX_CUES", 5)
    flicker = [(40 * at, b"\x8b\x01") for at in range(1, 13)]
    with pytest.raises(Unreadable, match="more than 5"):
        heard((0, define(0, seen=UNSEEN) + b"x"), *flicker)
