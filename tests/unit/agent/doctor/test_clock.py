"""Clocks that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.doctor import Heard, Verdict
from agent.doctor.clock import check
from tests.unit.agent.doctor.subjects import a_subject, only


@pytest.mark.parametrize("skew", [0.0, 4.9, -4.9])
async def test_a_clock_that_is_nearly_right_is_good(tmp_path: Path, skew: float) -> None:
    only(await check(a_subject(tmp_path, heard=Heard(None, clock_skew=skew))), Verdict.GOOD)


@pytest.mark.parametrize(("skew", "side"), [(5.1, "5.1 s behind"), (-3600.0, "3600.0 s ahead of")])
async def test_a_clock_that_is_off_fails_and_says_to_which_side(tmp_path: Path, skew: float, side: str) -> None:
    only(await check(a_subject(tmp_path, heard=Heard(None, clock_skew=skew))), Verdict.FAILURE, side)


async def test_a_clock_that_could_not_be_compared_is_a_fact(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path)), Verdict.FACT, "not compared")
