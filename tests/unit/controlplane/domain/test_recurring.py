"""What comes again is remembered, what comes once is not, and there is an end to it."""

from __future__ import annotations

from controlplane.domain.recurring import Recurring


def test_a_value_is_kept_when_its_key_comes_a_second_time() -> None:
    known: Recurring[str, int] = Recurring(2)
    known.offer("a", 1)
    assert known.get("a") is None
    known.offer("a", 2)
    assert known.get("a") == 2


def test_no_more_is_kept_than_there_is_room_for() -> None:
    known: Recurring[int, int] = Recurring(4)
    for key in [*range(100), *range(100)]:
        known.offer(key, key)
        known.offer(key, key)
        assert known.get(key) == key
        assert sum(known.get(other) is not None for other in range(100)) <= 4
