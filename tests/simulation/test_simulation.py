"""Simulated hours of bad luck, during and after which every promise holds."""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from tests.simulation.loop import VirtualLoop
from tests.soak import times

HOURS_EACH = 5


def simulated(*arguments: str) -> str:
    """In a process of its own: there the order of sets follows from the seed as well."""
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]
    return ran.stdout


@pytest.mark.parametrize("first", range(0, times(20, 1000), HOURS_EACH))
def test_hours_of_lost_late_and_repeated_messages_cuts_crashes_and_wrong_clocks(first: int) -> None:
    told = simulated(str(first), str(first + HOURS_EACH - 1))
    assert len(re.findall(r"^seed \d+: [1-9]\d+ jobs", told, re.MULTILINE)) == HOURS_EACH


def test_the_same_seed_gives_the_same_history_and_another_gives_another() -> None:
    fingerprints = [simulated(seed, "--hours", "0.25").split("\n")[0].split()[-1] for seed in ("7", "7", "8")]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_in_calm_weather_every_job_is_tried_once() -> None:
    trace = simulated("3", "--hours", "0.5", "--calm", "--trace")
    begun = re.findall(r" began (\S+) (\d+)", trace)
    assert len(begun) > 10
    again = [task for task, attempt in begun if attempt != "1"]
    assert len(again) <= len(begun) / 4, "only what was made to fail"


def test_what_a_killed_process_left_open_is_never_closed_behind_it() -> None:
    closed: list[bool] = []

    async def open_until_the_end() -> AsyncIterator[None]:
        try:
            yield
        finally:
            closed.append(True)

    async def dies_meanwhile() -> None:
        await anext(aiter(open_until_the_end()))
        await asyncio.sleep(1)

    loop = VirtualLoop(random.Random(0))
    loop.run_until_complete(dies_meanwhile())
    loop.close()
    assert not closed
