"""Whose workspace goes when the reserve is touched."""

from __future__ import annotations

from pathlib import Path

from agent.capacity import Space
from agent.jobs.disk import Use, offender, used
from tests.unit.agent.builders import GIB

RESERVE = 5 * GIB


def at(free: float, *uses: tuple[str, float, float]) -> str | None:
    pairs = [(name, Use(int(used * GIB), int(granted * GIB))) for name, used, granted in uses]
    return offender(pairs, Space(free=int(free * GIB), reserve=RESERVE))


def test_nobody_goes_while_the_reserve_is_whole() -> None:
    assert at(5, ("greedy", 100, 1)) is None


def test_who_is_furthest_beyond_its_estimate_goes_however_large_others_are() -> None:
    assert at(4.9, ("large", 90, 100), ("greedy", 12, 10), ("greedier", 9, 2)) == "greedier"


def test_while_all_keep_to_their_estimates_others_fill_the_disk_and_nobody_goes_yet() -> None:
    assert at(4, ("one", 5, 10), ("other", 9, 10)) is None


def test_when_half_the_reserve_is_gone_somebody_goes_all_the_same() -> None:
    assert at(2.4, ("one", 5, 10), ("other", 9, 10)) == "other"
    assert at(2.4) is None


def test_what_a_workspace_holds_is_what_is_on_disk(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_bytes(b"x" * 100_000)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert 100_000 <= used(tmp_path) < 200_000
    assert used(tmp_path / "gone") == 0
