"""Whether this process can serve, and the figures that tell how it goes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from controlplane import metrics
from controlplane.store.operations import figures, identity
from controlplane.store.port import Store
from shared.clock import Clock
from shared.errors import TranscoderError
from shared.jobspec import HardwarePreference
from shared.protocol import Progress
from shared.statuses import NodeState

ENCODERS: Final = frozenset(
    {"libx264", "libx265", "libvpx", "libvpx-vp9", "libsvtav1", "mpeg2video", "h264_nvenc", "hevc_nvenc", "av1_nvenc"}
)
"""Names that become labels; nodes may send any."""
_DEVICES: Final = ("cpu", "nvenc")


class Health:
    def __init__(self, store: Store, clock: Clock, progress: Callable[[], Iterable[Progress]] = tuple) -> None:
        """`progress` gives how far every attempt is of which that is known."""
        self._store = store
        self._clock = clock
        self._progress = progress
        self.is_stopping = False
        self._registry = CollectorRegistry()
        self._queued = self._gauge("tasks_queued", "Tasks that wait or are held.")
        self._running = self._gauge("tasks_running", "Tasks that are leased, run or are published.")
        self._doubted = self._gauge(
            "tenants_doubted", "Tenants with one job at a time, since too many of theirs failed."
        )
        self._age = self._gauge("queue_age_seconds", "Age of the oldest waiting job.")
        self._ages = self._gauge(
            "queue_age_by_hardware_seconds", "The same by what jobs say about hardware.", "hardware"
        )
        self._held = self._gauge("tasks_held_by_nodes", "Tasks that nodes hold, by what encodes.", "device")
        self._in_use = self._gauge("encoders_in_use", "CPU threads and NVENC sessions that are granted.", "kind")
        self._speed = self._gauge("encoding_speed", "Seconds of media encoded per second, all together.", "encoder")
        self._nodes = self._gauge("nodes", "Nodes that are not revoked.")
        self._states = self._gauge("nodes_by_state", "Nodes by state.", "state")
        self._lag = self._gauge("audit_seal_lag_seconds", "Age of the oldest audit row that is not sealed.")
        self._undelivered = self._gauge(
            "deliveries_pending", "Messages to webhooks and topics that wait; 1001 stands for more."
        )
        self._outbox_age = self._gauge("outbox_age_seconds", "Age of the oldest message that waits.")
        self._drift = self._gauge("quota_drift", "Counters that a recount found wrong, when last looked.")

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
        found = await self._store.read(figures.read())
        self._queued.set(found.queued)
        self._running.set(found.running)
        self._doubted.set(found.doubted)
        oldest = await self._oldest()
        self._age.set(self._since(min(oldest.values(), default=None)))
        for hardware in HardwarePreference:
            self._ages.labels(hardware).set(self._since(oldest.get(hardware)))
        for device in _DEVICES:
            self._held.labels(device).set(found.tasks.get(device, 0))
        self._in_use.labels("cpu_threads").set(found.threads)
        self._in_use.labels("nvenc_sessions").set(found.sessions)
        for encoder, speed in self._speeds().items():
            self._speed.labels(encoder).set(speed)
        for state in NodeState:
            self._states.labels(state).set(found.nodes.get(state, 0))
        self._nodes.set(sum(count for state, count in found.nodes.items() if state != NodeState.REVOKED))
        self._undelivered.set(found.undelivered)
        self._outbox_age.set(self._since(found.undelivered_since))
        self._lag.set(self._since(found.unsealed_since))
        return generate_latest(self._registry) + generate_latest(metrics.REGISTRY)

    async def _oldest(self) -> Mapping[str, int]:
        """When the oldest waiting job was submitted, by what it says about hardware; others have their turn in between."""
        oldest: dict[str, int] = {}
        last: int | None = 0
        while last is not None:
            found, last = await self._store.read(figures.oldest(last))
            oldest |= {name: min(at, oldest.get(name, at)) for name, at in found.items()}
            await asyncio.sleep(0)
        return oldest

    def _speeds(self) -> dict[str, float]:
        speeds: dict[str, float] = defaultdict(float, dict.fromkeys(ENCODERS, 0.0))
        for told in self._progress():
            encoder = told.encoder or ""
            speeds[encoder if encoder in ENCODERS else "other"] += told.speed or 0.0
        return speeds

    def _since(self, at: int | None) -> float:
        return 0.0 if at is None else max(0.0, (self._clock.now_ms() - at) / 1000)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"transcoder_{name}", meaning, labels, registry=self._registry)
