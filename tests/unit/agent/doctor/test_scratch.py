"""The disk of the workspaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.capacity.scratch import Space
from agent.doctor import Verdict, scratch
from agent.doctor.scratch import SIZE, SLOW, Speed, check, judged, measure
from tests.unit.agent.builders import GIB, StillClock
from tests.unit.agent.doctor.subjects import a_subject, only


async def test_a_disk_with_room_is_measured_and_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "space", lambda work, reserve: Space(free=101 * GIB, reserve=GIB))
    monkeypatch.setattr(scratch, "measure", lambda work, clock: Speed(200 << 20, 300 << 20))
    only(await check(a_subject(tmp_path)), Verdict.GOOD, "100.0 GiB for work, writes 200 MiB/s, reads 300 MiB/s")


async def test_a_disk_that_is_full_fails(tmp_path: Path) -> None:
    subject = a_subject(tmp_path, settings={"scratch_reserve": 1 << 60})
    only(await check(subject), Verdict.FAILURE, "0.0 GiB beyond the reserve")


async def test_a_disk_that_breaks_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(work: Path, clock: object) -> Speed:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(scratch, "space", lambda work, reserve: Space(free=101 * GIB, reserve=GIB))
    monkeypatch.setattr(scratch, "measure", breaks)
    only(await check(a_subject(tmp_path)), Verdict.FAILURE, "Input/output error")


@pytest.mark.parametrize("speed", [Speed(SLOW - 1, 2 * SLOW), Speed(2 * SLOW, SLOW - 1)])
def test_a_slow_disk_is_warned_of_in_either_direction(speed: Speed) -> None:
    only([judged(100 * GIB, speed)], Verdict.WARNING)


def test_the_speed_is_of_bytes_that_went_to_the_disk_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StillClock()

    def slow_sync(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size == 1 << 20
        clock.seconds += 2

    monkeypatch.setattr(scratch, "SIZE", 1 << 20)
    monkeypatch.setattr(os, "fsync", slow_sync)
    assert measure(tmp_path, clock).write == pytest.approx((1 << 20) / 2)
    assert list(tmp_path.iterdir()) == []
    assert SIZE > scratch.SIZE
