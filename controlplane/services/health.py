"""Whether this process can serve, and the figures that tell how it goes."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from controlplane.store.operations import identity
from controlplane.store.port import Store
from shared.clock import Clock
from shared.errors import TranscoderError


class Health:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.is_stopping = False
        self._registry = CollectorRegistry()
        self._queued = Gauge("transcoder_tasks_queued", "Tasks that wait or are held.", registry=self._registry)
        self._running = Gauge("transcoder_tasks_running", "Tasks that nodes hold.", registry=self._registry)
        self._age = Gauge("transcoder_queue_age_seconds", "Age of the oldest waiting task.", registry=self._registry)
        self._drift = Gauge(
            "transcoder_quota_drift", "Counters that a recount found wrong, when last looked.", registry=self._registry
        )
        self._nodes = Gauge("transcoder_nodes", "Nodes that are not revoked.", registry=self._registry)

    def tell_drift(self, counters: int) -> None:
        self._drift.set(counters)

    async def is_ready(self) -> bool:
        if self.is_stopping:
            return False
        try:
            await self._store.read(identity.meta("started_at"))
        except TranscoderError:
            return False
        return True

    async def metrics(self) -> bytes:
        """In Prometheus' text format."""
        queued, running, oldest = await self._store.read(identity.queue_figures())
        self._queued.set(queued)
        self._running.set(running)
        self._age.set(max(0.0, (self._clock.now_ms() - int(oldest[:13])) / 1000) if oldest else 0.0)
        self._nodes.set(await self._store.read(identity.count_nodes()))
        return generate_latest(self._registry)
