"""What an answer means, and when a message is sent again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.notifications import (
    OFFSETS_MS,
    STATUS,
    TOLD_TO_TOPICS,
    Happening,
    Notifications,
    Verdict,
    hears,
    next_try,
    verdict,
)

DAY_MS = 86_400_000
BEGUN = 1_763_750_000_000


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_two_hundreds_are_a_success(status: int) -> None:
    assert verdict(status) is Verdict.DELIVERED


@pytest.mark.parametrize("status", [None, 100, 199, 301, 302, 307, 308, 400, 401, 404, 409, 411, 429, 500, 503, 599])
def test_everything_else_is_tried_again_redirects_too(status: int | None) -> None:
    assert verdict(status) is Verdict.AGAIN


def test_gone_is_gone() -> None:
    assert verdict(410) is Verdict.GONE


@given(chances=st.lists(st.floats(0, 1), min_size=10, max_size=10), late=st.integers(0, 10_000))
def test_tries_spread_over_a_day_and_end(chances: list[float], late: int) -> None:
    """`late`: how long each try takes."""
    now, times = BEGUN, [BEGUN]
    for tries, chance in enumerate(chances, 1):
        now += late
        due = next_try(begun_at=BEGUN, tries=tries, now=now, retry_after_ms=None, chance=chance)
        if due is None:
            break
        assert due > now
        now = due
        times.append(due)
    assert len(times) == len(OFFSETS_MS)
    assert DAY_MS <= times[-1] - BEGUN <= 1.1 * DAY_MS
    assert all(offset <= time - BEGUN for offset, time in zip(OFFSETS_MS, times, strict=True))


@pytest.mark.parametrize(
    ("retry_after_ms", "expected"),
    [(None, 5_000), (0, 5_000), (1_000, 5_000), (60_000, 61_000), (10**12, DAY_MS)],
)
def test_who_asks_for_time_gets_it_up_to_the_end_of_the_day(retry_after_ms: int | None, expected: int) -> None:
    due = next_try(begun_at=BEGUN, tries=1, now=BEGUN + 1_000, retry_after_ms=retry_after_ms, chance=0.0)
    assert due == BEGUN + expected


def test_every_event_has_a_status_and_a_pattern_that_takes_nothing_else() -> None:
    assert set(STATUS) == set(Happening)
    types = [f'["{one}"]' for one in Happening]
    for happening in Happening:
        assert [hears(happening) in text for text in types].count(True) == 1


def test_topics_hear_of_four_events_each_by_its_own_name() -> None:
    named = {event: f"arn:aws:sns:eu:123456789012:{event}" for event in Notifications.model_fields}
    topics = Notifications.model_validate(named)
    assert [topics.topic(one) for one in TOLD_TO_TOPICS] == [
        named[event] for event in ("progressing", "completed", "warning", "error")
    ]
    assert topics.topic(Happening.CANCELED) is None
    assert topics.topic(Happening.SUBMITTED) is None
