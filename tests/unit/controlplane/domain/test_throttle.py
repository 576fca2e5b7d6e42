"""Virtual time and the worst callers: no window of a minute lets in more than the rate and a burst, nor much less."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.permissions import Action
from controlplane.domain.throttle import PORTION, SECOND, Operation, Pace, admit, left, operation, pace, weight
from tests.soak import times

MINUTE = 60 * SECOND
DAY = 24 * 3600 * SECOND
STARTS = st.integers(0, 365 * DAY)
CALM = st.integers(0, 3 * SECOND)
BUSY = st.integers(0, 10_000_000)  # at 6,000 a minute the next call is due after ten milliseconds


def admitted(arrivals: list[int], allowed: Pace) -> list[int]:
    due, let_in = 0, []
    for now in arrivals:
        due, wait = admit(due, now, allowed)
        if wait == 0:
            let_in.append(now)
    return let_in


def most_in_a_minute(let_in: list[int]) -> int:
    """In any window, both of its ends included."""
    return max(bisect_right(let_in, start + MINUTE) - index for index, start in enumerate(let_in))


def fewest_in_a_minute(let_in: list[int], start: int, end: int) -> int:
    """In any window between `start` and `end`: the emptiest begins just after a call, or at the start."""
    beginnings = [start, *(moment + 1 for moment in let_in)]
    return min(
        bisect_left(let_in, begin + MINUTE) - bisect_left(let_in, begin)
        for begin in beginnings
        if begin + MINUTE <= end
    )


@st.composite
def bursts(draw: st.DrawFn) -> list[int]:
    """Floods and pauses of any length, for some minutes."""
    now, arrivals = draw(STARTS), []
    for calls, gap, pause in draw(st.lists(st.tuples(st.integers(1, 400), BUSY, CALM), min_size=1, max_size=80)):
        arrivals += range(now, now + calls * gap, gap) if gap else [now] * calls
        now = arrivals[-1] + pause
    return arrivals


@given(bursts())
@settings(max_examples=times(300, 10_000), deadline=None)
def test_no_minute_admits_more_than_the_rate_and_a_burst(arrivals: list[int]) -> None:
    assert most_in_a_minute(admitted(arrivals, pace(6000))) <= 6100


def test_the_most_that_a_minute_can_admit_is_admitted() -> None:
    """A burst after a rest, and then every call the moment that it is due."""
    arrivals = [DAY] * 200 + [DAY + due for due in range(0, 2 * MINUTE, 10_000_000)]
    assert most_in_a_minute(admitted(arrivals, pace(6000))) == 6100


@given(bursts(), st.lists(st.integers(0, 256 * 1024), min_size=1))
@settings(max_examples=times(100, 1000), deadline=None)
def test_no_minute_admits_more_documents_than_what_they_weigh_allows(arrivals: list[int], sizes: list[int]) -> None:
    allowed, due = pace(6000), 0
    let_in: list[tuple[int, int]] = []
    for number, now in enumerate(arrivals):
        calls = weight(sizes[number % len(sizes)])
        due, wait = admit(due, now, allowed, calls)
        if wait == 0:
            let_in.append((now, calls))
    for index, (start, _) in enumerate(let_in):
        minute = [calls for moment, calls in let_in[index:] if moment <= start + MINUTE]
        assert sum(minute[:-1]) <= 6100, "the last is let in by what came before it"


def test_a_document_counts_once_more_for_each_portion() -> None:
    assert [weight(size) for size in (0, 1, PORTION - 1, PORTION, 256 * 1024)] == [1, 1, 1, 2, 33]


def test_nothing_is_left_to_whom_one_call_took_more_than_a_burst() -> None:
    allowed = pace(60)
    due, wait = admit(0, DAY, allowed, 33)
    assert (wait, left(due, DAY, allowed)) == (0, 0)
    assert admit(due, DAY, allowed)[1] == 33 * SECOND
    assert left(due, DAY + 33 * SECOND, allowed) == 1


@given(STARTS, st.lists(st.integers(1_000_000, 10_000_000), min_size=1, max_size=200))
@settings(max_examples=times(20, 1000), deadline=None)
def test_a_caller_that_never_rests_gets_its_rate(start: int, gaps: list[int]) -> None:
    now, arrivals = start, [start]
    while now < start + 2 * MINUTE:
        for gap in gaps:
            now += gap
            arrivals.append(now)
    let_in = admitted(arrivals, pace(6000))
    assert fewest_in_a_minute(let_in, start, now) >= 5940
    assert most_in_a_minute(let_in) <= 6100


@given(STARTS)
@settings(max_examples=times(20, 500), deadline=None)
def test_a_caller_that_waits_as_long_as_it_is_told_gets_its_rate(start: int) -> None:
    """It calls until it is refused, and comes back after `Retry-After`, in whole seconds as HTTP has it."""
    let_in, due, now = [], 0, start
    while now < start + 2 * MINUTE:
        due, wait = admit(due, now, pace(6000))
        if wait:
            now += -(-wait // SECOND) * SECOND
        else:
            let_in.append(now)
    assert fewest_in_a_minute(let_in, start, now) >= 5940
    assert most_in_a_minute(let_in) <= 6100


@given(st.integers(1, 60_000_000), STARTS)
def test_a_refused_call_costs_nothing_and_its_wait_is_exact(per_minute: int, now: int) -> None:
    allowed = pace(per_minute)
    due = 0
    for _ in range(min(allowed.burst, 5)):
        due, wait = admit(due, now, allowed)
        assert wait == 0
    due = now + allowed.slack + 7
    again, wait = admit(due, now, allowed)
    assert (again, wait) == (due, 7)
    assert admit(due, now + 6, allowed)[1] == 1
    assert admit(due, now + 7, allowed) == (due + allowed.interval, 0)


@given(st.integers(1, 60_000_000), STARTS, st.integers(0, 2000))
def test_what_is_left_is_what_would_be_admitted(per_minute: int, now: int, calls: int) -> None:
    allowed, due = pace(per_minute), 0
    for _ in range(min(calls, allowed.burst)):
        due, _ = admit(due, now, allowed)
    promised = left(due, now, allowed)
    assert promised == allowed.burst - min(calls, allowed.burst)
    for _ in range(min(promised, 3000)):
        due, wait = admit(due, now, allowed)
        assert wait == 0
    if promised <= 3000:
        assert admit(due, now, allowed)[1] > 0


@given(st.integers(1, 60_000_000))
def test_the_long_run_never_exceeds_the_rate(per_minute: int) -> None:
    allowed = pace(per_minute)
    assert per_minute * allowed.interval >= MINUTE
    assert allowed.burst <= max(1, -(-per_minute // 60))
    assert allowed.burst * 60 >= per_minute * 0.99 - 60


@pytest.mark.parametrize(
    ("action", "is_list", "counted_as"),
    [
        (Action.JOBS_CREATE, False, Operation.CREATE),
        (Action.JOBS_START, False, Operation.START),
        (Action.JOBS_STOP, False, Operation.STOP),
        (Action.JOBS_CANCEL, False, Operation.CANCEL),
        (Action.JOBS_READ, False, Operation.READ),
        (Action.JOBS_READ, True, Operation.LIST),
        (Action.OBJECTS_DOWNLOAD, False, Operation.READ),
        (Action.PIPELINES_DELETE, False, Operation.CREATE),
        (Action.PIPELINES_PAUSE, False, Operation.STOP),
    ],
)
def test_every_action_is_counted_as_one_kind(action: Action, is_list: bool, counted_as: Operation) -> None:
    assert operation(action, is_list=is_list) is counted_as
