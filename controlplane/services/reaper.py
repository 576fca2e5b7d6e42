"""Ends leases whose nodes fell silent, unless the silence is probably our own."""

from __future__ import annotations

import asyncio

import structlog

from controlplane.services.dispatch import Dispatcher
from controlplane.services.publishing import Publisher
from controlplane.settings import Settings
from controlplane.store.operations import dispatch, identity
from controlplane.store.port import Store
from shared.clock import Clock
from shared.errors import StorageFull, Unavailable
from shared.ids import ClusterId

log = structlog.get_logger()

BRAKE_FROM_NODES = 4
GAP_INTERVALS = 6
"""Without this many sweeps in a row, the amnesty of a start is given again."""
SWEEP_MS = 3_600_000
_PAGE = 500


class Reaper:
    def __init__(
        self, store: Store, clock: Clock, dispatcher: Dispatcher, publisher: Publisher, settings: Settings
    ) -> None:
        self._store = store
        self._clock = clock
        self._dispatcher = dispatcher
        self._publisher = publisher
        self._settings = settings
        self._forgiving_since = clock.now_ms()
        self._reaped_at = clock.monotonic()
        self._swept_at: int | None = None
        self._braking_since: dict[ClusterId, int] = {}

    async def run(self) -> None:
        await self._store.write(identity.set_meta("started_at", str(self._forgiving_since)))
        while True:
            try:
                await self._sweep()
                await asyncio.sleep(self._settings.reap_interval)
                self.forgive_a_gap()
                await self.reap()
            except (Unavailable, StorageFull) as error:
                log.error("reap.delayed", error=str(error))
                await asyncio.sleep(self._settings.reap_interval)

    async def reap(self) -> int:
        """One sweep; how many leases ended."""
        now = self._clock.now_ms()
        lease = int(self._dispatcher.timings.lease * 1000)
        in_amnesty = now < self._forgiving_since + int(self._settings.amnesty * 1000)
        floor = self._forgiving_since + lease if in_amnesty else 0
        braked = await self._braked(now, lease)
        lost = await self._store.write(dispatch.reap(now=now, floor=floor, braked=braked, size=_PAGE))
        for ended in lost:
            log.warning("lease.expired", task_id=ended.task_id, attempt=ended.attempt, job_id=ended.job_id)
        if lost:
            self._dispatcher.wake()
            await self._publisher.discard(lost)
        await self._store.write(identity.sweep_tokens(now))
        self._reaped_at = self._clock.monotonic()
        return len(lost)

    def forgive_a_gap(self) -> None:
        """No sweep for a while: the database was away, or this machine slept. Nodes could not be heard; that was us."""
        if self._clock.monotonic() - self._reaped_at > GAP_INTERVALS * self._settings.reap_interval:
            self._forgiving_since = self._clock.now_ms()
            log.warning("reaper.forgives", since=self._forgiving_since)

    async def _sweep(self) -> None:
        """At the start, and then once an hour."""
        now = self._clock.now_ms()
        if self._swept_at is None or now - self._swept_at >= SWEEP_MS:
            self._swept_at = now
            await self._publisher.sweep()

    async def _braked(self, now: int, lease: int) -> frozenset[ClusterId]:
        """Clusters most of whose nodes fell silent at once, for as long as the brake holds."""
        known_since = now - lease - int(self._settings.brake * 1000)
        braked = set()
        for cluster in await self._store.read(dispatch.silence(since=now - lease, horizon=known_since)):
            if cluster.nodes < BRAKE_FROM_NODES or cluster.silent < self._settings.brake_share * cluster.nodes:
                self._braking_since.pop(cluster.cluster_id, None)
                continue
            since = self._braking_since.setdefault(cluster.cluster_id, now)
            if now - since < int(self._settings.brake * 1000):
                braked.add(cluster.cluster_id)
                log.warning("cluster.braked", cluster_id=cluster.cluster_id, silent=cluster.silent, nodes=cluster.nodes)
        return frozenset(braked)
