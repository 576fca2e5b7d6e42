"""What counts as standing still."""

from __future__ import annotations

import pytest

from agent.vigil import Patience, Stage, Vigil

PATIENCE = Patience(starting=120, working=60, finishing=300, spinning=1000)


def stalls_after(vigil: Vigil, *, cpu_share: float, most: float = 10_000, every: float | None = None) -> float | None:
    """Seconds of looks until it counts as stalled; None when it never does."""
    every = every or vigil.every
    at = 0.0
    while at < most:
        at += every
        if not vigil.has_stepped() and vigil.is_stalled(at * cpu_share, every):
            return at
    return None


@pytest.mark.parametrize(("stage", "patience"), [(Stage.STARTING, 120), (Stage.WORKING, 60), (Stage.FINISHING, 300)])
def test_each_stage_has_its_own_patience(stage: Stage, patience: float) -> None:
    vigil = Vigil(PATIENCE)
    vigil.step(stage)
    assert stalls_after(vigil, cpu_share=0) == pytest.approx(patience, abs=2 * vigil.every)


def test_who_starves_on_a_busy_machine_is_not_stuck() -> None:
    assert stalls_after(Vigil(PATIENCE), cpu_share=0.005) is None


def test_who_only_looks_now_and_then_whether_something_came_is_stuck() -> None:
    assert stalls_after(Vigil(PATIENCE), cpu_share=0.001) is not None


def test_who_spins_without_getting_on_is_stuck_by_processor_time() -> None:
    assert stalls_after(Vigil(PATIENCE), cpu_share=2.0) == pytest.approx(500, abs=10)


def test_getting_on_starts_the_time_anew() -> None:
    vigil = Vigil(PATIENCE)
    vigil.step(Stage.WORKING)
    assert stalls_after(vigil, cpu_share=0, most=50) is None
    vigil.step(Stage.WORKING)
    assert stalls_after(vigil, cpu_share=0, most=50) is None


def test_time_in_which_nobody_looked_does_not_count() -> None:
    """The agent itself was stopped for an hour, or the machine slept."""
    vigil = Vigil(PATIENCE)
    vigil.step(Stage.WORKING)
    assert vigil.has_stepped()
    assert not vigil.is_stalled(0.0, 3600)
    assert not vigil.is_stalled(0.0, 3600)
    assert stalls_after(vigil, cpu_share=0) is not None
