"""How long an agent waits before it asks again."""

from agent.backoff import LONGEST_ASKED, full_jitter, wait_after


def test_the_wait_is_anything_up_to_a_ceiling_that_doubles() -> None:
    assert [full_jitter(tries, lambda: 1.0) for tries in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert full_jitter(3, lambda: 0.0) == 0.0


def test_the_ceiling_is_capped_however_often_it_was_tried() -> None:
    assert full_jitter(10_000, lambda: 1.0) == 30.0


def test_nobody_returns_earlier_than_asked() -> None:
    assert wait_after(0, lambda: 0.0, 7.0) == 7.0
    assert wait_after(0, lambda: 1.0, None) == 0.2


def test_a_proxy_that_asks_for_a_day_is_asked_again_within_minutes() -> None:
    assert wait_after(0, lambda: 1.0, 86_400.0) == LONGEST_ASKED + 0.2
    assert wait_after(0, lambda: 0.0, float("inf")) == LONGEST_ASKED
