"""When the probes run again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.capacity import Space
from agent.capacity.ffmpeg import NoFfmpeg
from agent.jobs.attempt import Attempt
from agent.jobs.outbox import Outbox
from agent.jobs.runner import Runner
from agent.jobs.slots import Slots
from agent.jobs.workload import Workload
from agent.loops.reprobing import RETRY_AFTER, Reprobing
from agent.loops.timing import Timing
from tests.unit.agent.builders import GIB, Sleeps, StillClock, a_capacity, a_start


class Probes:
    """Fail as often as they are told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.runs = 0
        self.done = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise NoFfmpeg("it is being upgraded")
        self.done.set()


def reprobing(probes: Probes, sleep: Sleeps, outbox: Path) -> tuple[Reprobing, Workload]:
    slots = Slots(a_capacity(), disk=lambda: Space(free=100 * GIB, reserve=0))
    workload = Workload(asyncio.TaskGroup(), Runner.__new__(Runner), slots, Outbox(outbox, sleep.clock))
    return Reprobing(workload, probes, timing=Timing(sleep.clock, sleep, lambda: 1.0)), workload


async def test_nothing_is_probed_while_something_runs_and_twice_asked_is_once_done(tmp_path: Path) -> None:
    probes, sleep = Probes(), Sleeps()
    loop, workload = reprobing(probes, sleep, tmp_path)
    workload._idle.clear()
    running = asyncio.create_task(loop.run())
    loop.ask()
    loop.ask()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (probes.runs, loop.is_asked) == (0, True)
    workload._idle.set()
    async with asyncio.timeout(5):
        await probes.done.wait()
        await asyncio.sleep(0)
    assert (probes.runs, loop.is_asked) == (1, False)
    running.cancel()


async def test_work_that_comes_before_the_probes_had_their_turn_is_waited_for(tmp_path: Path) -> None:
    probes, sleep = Probes(), Sleeps()
    loop, workload = reprobing(probes, sleep, tmp_path)
    workload._idle.clear()
    running = asyncio.create_task(loop.run())
    loop.ask()
    await asyncio.sleep(0)
    workload._idle.set()
    workload._idle.clear()
    for _ in range(10):
        await asyncio.sleep(0)
    assert probes.runs == 0
    running.cancel()


async def test_while_it_probes_the_node_offers_nothing_and_hands_back_what_it_is_given(tmp_path: Path) -> None:
    """Whether or not the control plane asked for it: a busy card makes a node probe again of its own accord."""
    probing, may_end = asyncio.Event(), asyncio.Event()
    handed_back: list[str] = []

    async def probe() -> None:
        probing.set()
        await may_end.wait()

    class HandsBack(Runner):
        async def hand_back(self, attempt: Attempt, because: str) -> None:
            handed_back.append(because)

    clock = StillClock()
    async with asyncio.timeout(5), asyncio.TaskGroup() as attempts:
        slots = Slots(a_capacity(), disk=lambda: Space(free=100 * GIB, reserve=0))
        workload = Workload(attempts, HandsBack.__new__(HandsBack), slots, Outbox(tmp_path, clock))
        loop = Reprobing(workload, probe, timing=Timing(clock, Sleeps(clock), lambda: 1.0))
        running = asyncio.create_task(loop.run())
        before = workload.free()
        loop.ask()
        await probing.wait()
        assert workload.free().cpu_threads == 0 < before.cpu_threads
        assert workload.changed.is_set(), "the held poll says otherwise"
        workload.start(a_start())
        await workload.wait_idle()
        assert handed_back == ["The node takes no new work."]
        may_end.set()
        workload.changed.clear()
        await workload.changed.wait()
        assert (loop.is_asked, workload.free()) == (False, before)
        running.cancel()


async def test_probes_that_find_no_ffmpeg_are_tried_again_later(tmp_path: Path) -> None:
    probes, sleep = Probes(failures=2), Sleeps()
    loop, _ = reprobing(probes, sleep, tmp_path)
    running = asyncio.create_task(loop.run())
    loop.ask()
    async with asyncio.timeout(5):
        await probes.done.wait()
    assert sleep.asked == [RETRY_AFTER, RETRY_AFTER]
    running.cancel()
