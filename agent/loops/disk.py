"""Watches over the reserve of the disk while there is work: several outputs and jobs together may not eat it either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from agent.capacity import Space
from agent.jobs.attempt import EndReason
from agent.jobs.disk import offender
from agent.jobs.workload import Workload
from agent.loops.timing import Timing

EVERY: Final = 0.25
"""Seconds between looks: a fast disk takes a hundred megabytes in that time."""

log = structlog.get_logger()


class DiskGuard:
    def __init__(self, workload: Workload, disk: Callable[[], Space], *, timing: Timing) -> None:
        self._workload = workload
        self._disk = disk
        self._timing = timing

    async def run(self) -> None:
        while True:
            await self._workload.busy.wait()
            await self._look()
            await self._timing.sleep(EVERY)

    async def _look(self) -> None:
        """One attempt at a time: what its workspace held is free before the next is judged."""
        space = self._disk()
        if space.free >= space.reserve or self._workload.is_any(EndReason.STORAGE_FULL):
            return
        worst = offender(await asyncio.to_thread(self._workload.uses_of_disk), space)
        if worst is not None:
            log.error("disk.reserve_touched", task_id=worst.task_id, free=space.free, reserve=space.reserve)
            self._workload.end_for_space(worst)
