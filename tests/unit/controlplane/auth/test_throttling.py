"""What is remembered of callers, and how much of it."""

from __future__ import annotations

import pytest

from controlplane.auth import throttling
from controlplane.auth.throttling import Throttle, Verdict
from controlplane.domain.throttle import pace
from tests.clock import FakeClock


def test_a_verdict_tells_what_is_left_and_how_long_to_wait() -> None:
    clock = FakeClock()
    throttle, allowed = Throttle(clock), pace(120)
    assert throttle.take("ada", allowed) == Verdict(limit=2, remaining=1, reset=1, wait=0.0)
    assert throttle.take("ada", allowed) == Verdict(limit=2, remaining=0, reset=1, wait=0.0)
    assert throttle.take("ada", allowed) == Verdict(limit=2, remaining=0, reset=1, wait=0.5)
    assert throttle.take("bob", allowed).wait == 0
    clock.pass_seconds(0.5)
    assert throttle.take("ada", allowed).wait == 0


def test_asking_how_long_to_wait_counts_nothing() -> None:
    throttle, allowed = Throttle(FakeClock()), pace(60)
    assert [throttle.look("ada", allowed).wait for _ in range(3)] == [0.0] * 3
    throttle.take("ada", allowed)
    assert throttle.look("ada", allowed).wait == 1.0


def test_memory_is_bounded_and_those_who_are_ahead_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "MOST_REMEMBERED", 1000)
    clock = FakeClock()
    throttle, slow = Throttle(clock), pace(1)
    throttle.take("ada", slow)
    for caller in range(5000):
        throttle.take(caller, pace(6000))
        clock.pass_seconds(0.005)
        assert len(throttle._due) <= 1000
    assert throttle.look("ada", slow).wait == pytest.approx(35.0)


def test_memory_is_bounded_even_when_all_are_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "MOST_REMEMBERED", 1000)
    throttle = Throttle(FakeClock())
    for caller in range(5000):
        assert throttle.take(caller, pace(1)).wait == 0
        assert len(throttle._due) <= 1000
