"""Ends leases whose nodes fell silent, unless the silence is probably our own."""

from __future__ import annotations

import asyncio

import structlog

from controlplane import metrics
from controlplane.domain import silence
from controlplane.domain.retrying import LONGEST_DELAY_MS
from controlplane.services.dispatch import Dispatcher
from controlplane.services.publishing import Publisher
from controlplane.services.tempo import Tempo
from controlplane.settings import Settings
from controlplane.store.operations import dispatch, identity
from controlplane.store.port import Store
from shared.clock import Clock
from shared.errors import StorageFull, Unavailable
from shared.ids import ClusterId

log = structlog.get_logger()

GAP_INTERVALS = 6
"""Without this many sweeps in a row, the amnesty of a start is given again."""
_PAGE = 500


class Reaper:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        dispatcher: Dispatcher,
        publisher: Publisher,
        tempo: Tempo,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._dispatcher = dispatcher
        self._publisher = publisher
        self._tempo = tempo
        self._settings = settings
        self._reaped_at = (clock.now_ms(), clock.monotonic())
        self._braking_since: dict[ClusterId, int] = {}

    async def run(self) -> None:
        has_begun = False
        while True:
            try:
                if not has_begun:
                    await self.forgive()
                    has_begun = True
                await asyncio.sleep(self._settings.reap_interval)
                await self.forgive_a_gap()
                await self.reap()
            except (Unavailable, StorageFull) as error:
                log.error("reap.delayed", error=str(error))
                await asyncio.sleep(self._settings.reap_interval)

    async def forgive(self) -> None:
        """From now on, for as long as the amnesty lasts, silence that began before is no reason to end a lease.

        Kept in the database: what one replica could not hear, none of them holds against a node.
        """
        now = self._clock.now_ms()
        await self._store.write(dispatch.forgive(now=now, lease=self._tempo.lease_ms, delay=LONGEST_DELAY_MS))
        self._reaped_at = (now, self._clock.monotonic())

    async def forgive_a_gap(self) -> None:
        """Forgives when nodes could not be heard, or their leases not be measured, and that was us.

        No sweep for a while: the database was away, or this machine slept. Or its clock was set.
        """
        reaped_at, reaped_monotonic = self._reaped_at
        passed = self._clock.monotonic() - reaped_monotonic
        stepped = abs((self._clock.now_ms() - reaped_at) / 1000 - passed)
        if passed > GAP_INTERVALS * self._settings.reap_interval or stepped * 1000 >= silence.noticed_after(
            self._tempo.lease_ms
        ):
            await self.forgive()
            log.warning("reaper.forgives", passed=round(passed, 3), clock_stepped=round(stepped, 3))

    async def reap(self) -> int:
        """One sweep; how many leases ended."""
        now = self._clock.now_ms()
        started_at = int(await self._store.read(identity.meta("started_at")) or 0)
        amnesty = int(self._settings.amnesty * 1000)
        floor = silence.forgiven_before(started_at=started_at, now=now, amnesty=amnesty, lease=self._tempo.lease_ms)
        braked = await self._braked(now)
        lost = await self._store.write(
            dispatch.reap(now=now, floor=floor, braked=braked, size=_PAGE, rules=self._settings.rules)
        )
        metrics.LEASES.labels("expired").inc(len(lost))
        for ended in lost:
            log.warning("lease.expired", task_id=ended.task_id, attempt=ended.attempt, job_id=ended.job_id)
        if lost:
            self._dispatcher.wake()
            await self._publisher.discard(lost)
        self._reaped_at = (now, self._clock.monotonic())
        return len(lost)

    async def _braked(self, now: int) -> frozenset[ClusterId]:
        """Clusters most of whose nodes fell silent at once, for as long as the brake holds."""
        brake = int(self._settings.brake * 1000)
        found = dispatch.silence(
            since=now - silence.noticed_after(self._tempo.lease_ms), horizon=now - self._tempo.lease_ms - brake
        )
        braked = set()
        for cluster in await self._store.read(found):
            share = self._settings.brake_share
            if not silence.is_probably_ours(nodes=cluster.nodes, silent=cluster.silent, share=share):
                self._braking_since.pop(cluster.cluster_id, None)
                continue
            if now - self._braking_since.setdefault(cluster.cluster_id, now) < brake:
                braked.add(cluster.cluster_id)
                log.warning("cluster.braked", cluster_id=cluster.cluster_id, silent=cluster.silent, nodes=cluster.nodes)
        return frozenset(braked)
