"""What is counted while it happens, for Prometheus.

One registry for the process: counters belong to no object, and whoever counts needs none handed down. Labels have few values:
never a tenant's, a job's or a path as it was sent. What is read off the database at every scrape is in `services.health`.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
_WAITS: Final = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)

_REQUESTS: Final = Counter(
    "transcoder_http_requests", "Requests that were answered.", ("method", "route", "status"), registry=REGISTRY
)
_SECONDS: Final = Histogram(
    "transcoder_http_request_seconds",
    "From the request's head to its answer; polls and streams are held on purpose.",
    ("method", "route"),
    buckets=_QUICK,
    registry=REGISTRY,
)
REFUSALS: Final = Counter(
    "transcoder_refusals", "Requests that were refused, by the code of the refusal.", ("code",), registry=REGISTRY
)
LEASES: Final = Counter(
    "transcoder_leases", "What became of leases: granted, accepted, renewed, expired.", ("event",), registry=REGISTRY
)
WAITS: Final = Histogram(
    "transcoder_job_wait_seconds",
    "From submission until a node accepted a job for the first time.",
    buckets=_WAITS,
    registry=REGISTRY,
)
FAILURES: Final = Counter(
    "transcoder_attempt_failures", "Attempts that nodes reported as failed.", ("cause", "code"), registry=REGISTRY
)
REMOVED: Final = Counter(
    "transcoder_retention_removed", "What was removed because of its age.", ("kind",), registry=REGISTRY
)
DELIVERIES: Final = Counter(
    "transcoder_deliveries",
    "Tries to tell webhooks and topics something: delivered, failed (and tried again), given_up.",
    ("kind", "outcome"),
    registry=REGISTRY,
)
_OPERATIONS: Final = Histogram(
    "transcoder_store_batch_operations",
    "Writes that shared a commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
    registry=REGISTRY,
)
_COMMITS: Final = Histogram(
    "transcoder_store_batch_seconds",
    "From a batch's first statement until it was on disk.",
    buckets=_QUICK,
    registry=REGISTRY,
)
_LAG: Final = Histogram(
    "transcoder_event_loop_lag_seconds",
    "How much later than asked the event loop came back.",
    buckets=_QUICK,
    registry=REGISTRY,
)

_answered: Final[dict[tuple[str, str, int], tuple[Counter, Histogram]]] = {}
"""Looking up a series by its labels takes longer than all the rest."""


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """A request. `route` is a path as it was registered."""
    series = _answered.get((method, route, status))
    if series is None:
        series = _REQUESTS.labels(method, route, str(status)), _SECONDS.labels(method, route)
        _answered[method, route, status] = series
    series[0].inc()
    series[1].observe(seconds)


def committed(operations: int, seconds: float) -> None:
    _OPERATIONS.observe(operations)
    _COMMITS.observe(seconds)


async def watch_the_loop(interval: float = 0.5) -> None:
    while True:
        asked_at = perf_counter()
        await asyncio.sleep(interval)
        _LAG.observe(max(0.0, perf_counter() - asked_at - interval))
