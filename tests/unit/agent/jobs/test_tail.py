"""The last lines of an attempt: bounded, whole, and cleaned."""

from __future__ import annotations

import pytest

import agent.jobs.tail
from agent.jobs.tail import LONGEST_LINE, UNREAD, Tail
from shared.protocol import LOG_SIZE


def heard(*chunks: bytes) -> str:
    tail = Tail()
    for chunk in chunks:
        tail.hear(chunk)
    tail.flush()
    return tail.told.text


def test_lines_are_kept_as_they_came() -> None:
    assert heard(b"one\ntw", b"o\n\n", b"three") == "one\ntwo\nthree\n"


def test_an_address_that_comes_in_two_pieces_is_cut_out_all_the_same() -> None:
    assert heard(b"opening https://stor", b"age.example/o?sig=s3cret failed\n") == "opening <address> failed\n"


def test_only_the_end_is_kept_and_all_of_it_is_counted() -> None:
    tail = Tail()
    for number in range(5000):
        tail.hear(b"line %d\n" % number)
    told = tail.told
    assert len(told.text) == LOG_SIZE
    assert told.text.endswith("line 4999\n")
    assert told.said == sum(len(f"line {number}\n") for number in range(5000))


def test_a_line_without_an_end_takes_no_memory() -> None:
    tail = Tail()
    for _ in range(1000):
        tail.hear(b"x" * 100_000)
        assert len(tail._unread) <= 2 * UNREAD
    tail.flush()
    assert tail.told.text == "x" * LONGEST_LINE + "\n"
    assert tail.told.said <= 1000 * 100_000 + 1


def test_however_much_is_said_little_of_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(agent.jobs.tail, "cleaned", lambda line: looked_at.append(line) or line)
    tail = Tail()
    flood = b"".join(b"https://storage.example/%06d failed\n" % number for number in range(10_000))
    for _ in range(20):
        tail.hear(flood)
    told = tail.told
    assert told.text.endswith("/009999 failed\n")
    assert len(told.text) == LOG_SIZE
    assert sum(map(len, looked_at)) <= 2 * UNREAD
    assert told.said == 20 * len(flood), "what was left out is counted all the same"


def test_what_is_left_out_never_leaves_half_an_address() -> None:
    tail = Tail()
    for _ in range(400):
        tail.hear(b"opening https://storage.example/o?sig=" + b"s3cret" * 200 + b" failed\n")
    assert "s3cret" not in tail.told.text


def test_of_a_line_that_was_written_over_the_last_state_counts() -> None:
    assert heard(b"frame=1\rframe=2\n") == "frame=2\n"


def test_remarks_stand_out() -> None:
    tail = Tail()
    tail.hear(b"cut off")
    tail.remark("encoding")
    assert tail.told.text == "cut off\n-- encoding\n"
