"""When the next beat is due."""

import pytest

from agent.loops.heartbeat import next_beat


def test_beats_are_spread_by_a_tenth_either_way() -> None:
    assert [next_beat(10, 0, lambda chance=chance: chance) for chance in (0.0, 0.5, 1.0)] == [9.0, 10.0, 11.0]


def test_after_a_missed_beat_the_next_comes_sooner_and_never_later_than_usual() -> None:
    longest = [next_beat(10, missed, lambda: 1.0) for missed in range(1, 8)]
    assert longest[:4] == pytest.approx([1, 2, 4, 8])
    assert max(longest) == 10
