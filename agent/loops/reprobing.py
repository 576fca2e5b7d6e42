"""Finds out anew what the node can do, when it is asked to and as soon as nothing runs: what is busy cannot be counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from agent.capacity.ffmpeg import NoFfmpeg
from agent.jobs.workload import Workload
from agent.loops.timing import Timing
from shared.errors import TranscoderError

RETRY_AFTER: Final = 60.0
"""Seconds, when there was nothing to tell: until then no work is taken."""

log = structlog.get_logger()


class Reprobing:
    """Asked twice before it is done, it does it once."""

    def __init__(self, workload: Workload, probe_and_greet: Callable[[], Awaitable[None]], *, timing: Timing) -> None:
        self._workload = workload
        self._probe_and_greet = probe_and_greet
        self._timing = timing
        self._asked = asyncio.Event()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        self._asked.set()

    async def run(self) -> None:
        """No work is taken from the moment that nothing runs: its sessions would be counted as if the card had them not."""
        while True:
            await self._asked.wait()
            await self._workload.wait_idle()
            with self._workload.set_aside():
                await self._probe()

    async def _probe(self) -> None:
        while self.is_asked:
            try:
                await self._probe_and_greet()
                self._asked.clear()
            except (NoFfmpeg, TranscoderError) as error:
                log.error("agent.not_probed", reason=str(error))
                await self._timing.sleep(RETRY_AFTER)
