"""Looks again at cards that work found busy or broken, when some time has passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from agent.jobs.slots import Slots
from agent.loops.timing import Timing

AFTER: Final = 600.0
"""Seconds until a card is trusted again."""

log = structlog.get_logger()


class Cards:
    def __init__(self, slots: Slots, *, reprobe: Callable[[], None], timing: Timing) -> None:
        self._slots = slots
        self._reprobe = reprobe
        self._timing = timing

    async def run(self) -> None:
        """Trusted at once, because a busy node may not be idle for days, and counted again as soon as nothing runs."""
        while True:
            await self._slots.doubted.wait()
            await self._timing.sleep(AFTER)
            log.info("gpu.trusted_again")
            self._slots.trust_again()
            self._reprobe()
