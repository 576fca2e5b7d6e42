"""What happens to all jobs of a tenant, from any moment on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from controlplane.services.signals import Signals, is_set_within
from controlplane.store.operations import happenings
from controlplane.store.port import Store
from controlplane.store.records import TenantEvent
from shared.ids import TenantId

AT_ONCE: Final = 500
GATHERED: Final = 0.1
"""Seconds between two looks: something happens somewhere all the time, and each reader would look at every bit of it."""


class Events:
    def __init__(self, store: Store, signals: Signals) -> None:
        self._store = store
        self._signals = signals

    async def after(self, tenant_id: TenantId, after: int, size: int) -> list[TenantEvent]:
        return await self._store.read(happenings.after(tenant_id, after, size))

    async def watch(self, tenant_id: TenantId, after: int | None, quiet: float) -> AsyncIterator[Sequence[TenantEvent]]:
        """Without `after`, from now on. Empty when nothing happened for `quiet` seconds. Ends when the service stops."""
        with self._signals.listening_to_all() as changed:
            if after is None:
                after = await self._store.read(happenings.newest())
            while not self._signals.is_closed:
                changed.clear()
                while found := await self.after(tenant_id, after, AT_ONCE):
                    after = found[-1].id
                    yield found
                if not await is_set_within(quiet, changed):
                    yield ()
                await is_set_within(GATHERED, self._signals.closed)
