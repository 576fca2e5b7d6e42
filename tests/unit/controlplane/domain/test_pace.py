"""Who takes too long, decided from what is seen now and then."""

from __future__ import annotations

import pytest

from controlplane.domain.pace import UNSEEN, Limits, Turn, observed

LIMITS = Limits(head=10, stall=10, slowest=1000)


def seen(*moments: tuple[float, Turn, int, int]) -> list[bool]:
    """Whether time was over at each (second, turn, request, bytes)."""
    watch, over = UNSEEN, []
    for now, turn, request, passed in moments:
        watch = observed(watch, turn, request, passed, now, LIMITS)
        over.append(watch.left <= 0)
    return over


def test_a_head_must_be_whole_in_time_however_it_trickles() -> None:
    assert seen((0, Turn.HEAD, 0, 0), (5, Turn.HEAD, 0, 50), (9.9, Turn.HEAD, 0, 99)) == [False] * 3
    assert seen((0, Turn.HEAD, 0, 0), (5, Turn.HEAD, 0, 50), (10, Turn.HEAD, 0, 5000))[-1]


@pytest.mark.parametrize("turn", [Turn.BODY, Turn.ANSWER])
def test_bodies_and_answers_may_take_any_time_while_they_move(turn: Turn) -> None:
    assert not any(seen(*[(second, turn, 1, 1000 * second) for second in range(0, 3600, 5)]))


@pytest.mark.parametrize("turn", [Turn.BODY, Turn.ANSWER])
def test_bodies_and_answers_that_nearly_stand_still_are_over(turn: Turn) -> None:
    assert seen((0, turn, 1, 0), (5, turn, 1, 0), (9.9, turn, 1, 99), (10.1, turn, 1, 99))[-2:] == [False, True]
    assert seen((0, turn, 1, 0), (9, turn, 1, 50_000), (18, turn, 1, 50_000), (19, turn, 1, 50_000))[-2:] == [
        False,
        True,
    ]


def test_an_answer_that_was_added_to_has_moved() -> None:
    assert not any(seen((0, Turn.ANSWER, 1, -70_000), (10, Turn.ANSWER, 1, -1_000_000)))


def test_another_request_has_its_own_time() -> None:
    assert not any(seen((0, Turn.BODY, 1, 0), (9, Turn.BODY, 2, 10), (18, Turn.BODY, 3, 20)))


@pytest.mark.parametrize("turn", [Turn.OURS, Turn.IDLE])
def test_nobody_is_hurried_when_it_is_our_turn(turn: Turn) -> None:
    assert not any(seen((0, turn, 1, 0), (1e6, turn, 1, 0)))
