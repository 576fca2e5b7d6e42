"""How much of the process what one tenant looks at may take: a third, a step at a time, and in turns.

A rate lets a burst in before the first of it has shown what it costs. If all of that were worked at in one go, nobody else
would be answered until it was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from controlplane.auth.principal import Principal
from shared.errors import Throttled

SHORT: Final = 0.001
"""Seconds of work: after less of it there is no rest, since timers are no finer."""

REST: Final = 2
"""How many times as long as it worked."""

Later = Callable[[float, Callable[[], None]], object]
"""Does something after so many seconds."""


class Share:
    """One tenant's. Between two of its steps others have their turn, and after a long one a rest."""

    def __init__(self, later: Later) -> None:
        self.waiting = 0
        """Looks that have not begun; streams of events that are open wait for a step now and then, and are counted elsewhere."""
        self._later = later
        self._lock = asyncio.Lock()

    async def turn(self, *, is_first: bool) -> None:
        """Waits for it, behind those who came before. Whoever has it works at once, and says when that is done."""
        self.waiting += is_first
        try:
            await self._lock.acquire()
        finally:
            self.waiting -= is_first

    def done(self, seconds: float) -> None:
        """After so much work. Never at once: what came for others meanwhile goes first."""
        self._later(REST * seconds if seconds >= SHORT else 0, self._rested)

    def _rested(self) -> None:
        self._lock.release()


class Shares:
    def __init__(self, later: Later) -> None:
        self._later = later
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()

    def of(self, principal: Principal) -> Share:
        """Raises Throttled when as many wait for it as may come in a second; operators have each their own."""
        share = self._shares.setdefault(principal.tenant_id or principal.user_id, Share(self._later))
        if share.waiting >= principal.pace_of_tenant.burst:
            raise Throttled("Too many requests of this account wait to be worked at.", retry_after=1)
        return share
