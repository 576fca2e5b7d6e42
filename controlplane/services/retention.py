"""The one sweeper: whatever has a lifetime ends here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from controlplane import metrics
from controlplane.services.publishing import Publisher
from controlplane.settings import Settings
from controlplane.store.operations import audit, keeping
from controlplane.store.port import Op, Store
from shared.clock import Clock
from shared.errors import StorageFull, Unavailable

log = structlog.get_logger()

STEP: Final = 200
"""Rows that one step removes, or looks at."""
MOST_STEPS: Final = 500
"""In one sweep for each kind; the next goes on."""
DAY_MS: Final = 86_400_000
STAGING_MS: Final = 3_600_000
"""Between two looks through the staging places: they walk directories."""

Remove = Callable[..., Op[keeping.Step]]


class Sweeper:
    def __init__(self, store: Store, clock: Clock, publisher: Publisher, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._publisher = publisher
        self._settings = settings
        self._staging_swept_at: int | None = None

    async def run(self) -> None:
        while True:
            try:
                removed = await self.sweep()
                for kind, count in removed.items():
                    metrics.REMOVED.labels(kind).inc(count)
                if any(removed.values()):
                    log.info("retention.swept", **removed)
            except (Unavailable, StorageFull) as error:
                log.error("sweep.delayed", error=str(error))
            await asyncio.sleep(self._settings.sweep_interval)

    async def sweep(self) -> Mapping[str, int]:
        """Everything that is over by now; how much of each kind went."""
        now, settings = self._clock.now_ms(), self._settings
        removed = {
            "request_tokens": await self._remove(keeping.remove_request_tokens, until=now),
            "join_tokens": await self._remove(keeping.remove_join_tokens, until=now - _ms(settings.keep_join_tokens)),
            "jobs": await self._remove(keeping.remove_jobs, until=now - _ms(settings.keep_jobs)),
            "events": await self._remove(keeping.remove_events, until=now - _ms(settings.keep_events)),
            "deliveries": await self._remove(keeping.remove_deliveries, until=now - _ms(settings.keep_deliveries)),
            "logs": await self._remove(keeping.remove_logs, until=now - _ms(settings.keep_logs)),
            "node_events": await self._remove(keeping.remove_node_events, until=now - _ms(settings.keep_events)),
            "lanes": await self._remove(keeping.remove_idle_lanes),
            "audit_rows": await self._sweep_audit(now),
        }
        if self._staging_swept_at is None or now - self._staging_swept_at >= STAGING_MS:
            self._staging_swept_at = now
            removed["staged"] = await self._publisher.sweep(settings.keep_uploads)
        return removed

    async def _remove(self, step: Remove, **until: int) -> int:
        removed, last = 0, ""
        for _ in range(MOST_STEPS):
            done = await self._store.write(step(last, size=STEP, **until))
            removed += done.removed
            if done.last is None:
                break
            last = done.last
        return removed

    async def _sweep_audit(self, now: int) -> int:
        """By whole days, since each sweep adds a row itself."""
        until = (now - _ms(self._settings.keep_audit)) // DAY_MS * DAY_MS
        removed = 0
        for _ in range(MOST_STEPS):
            step = await self._store.write(audit.sweep(until=until, now=now))
            removed += step
            if not step:
                break
        return removed


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
