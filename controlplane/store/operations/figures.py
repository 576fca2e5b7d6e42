"""How it stands, in figures: what is read off the database when somebody asks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.store.operations.needs import need_from_json
from controlplane.store.port import Op, call
from shared.capacity import Demand


@dataclass(frozen=True)
class Figures:
    queued: int
    running: int
    doubted: int
    """Tenants of whose jobs too many failed."""
    oldest: Mapping[str, int]
    """When the oldest waiting job was submitted, by what it says about hardware."""
    tasks: Mapping[str, int]
    """Tasks that nodes hold, by the kind of encoder they hold."""
    threads: int
    sessions: int
    nodes: Mapping[str, int]
    """By state."""
    unsealed_since: int | None
    """When the oldest row of the audit log was written that is not sealed."""
    undelivered: int
    """Messages that wait to be sent; a thousand and one stands for more."""
    undelivered_since: int | None
    """When that happened which the oldest of them tells of."""


def read() -> Op[Figures]:
    (counted,) = yield call("queue_figures")
    heads = yield call("oldest_in_lanes")
    held = [Demand.model_validate_json(row["granted"]) for row in (yield call("held_demands"))]
    nodes = yield call("nodes_by_state")
    (unsealed,) = yield call("oldest_unsealed")
    (outbox,) = yield call("outbox_figures")
    oldest: dict[str, int] = defaultdict(lambda: 1 << 62)
    for row in heads:
        hardware = str(need_from_json(row["need"]).hardware)
        oldest[hardware] = min(oldest[hardware], int(row["id"][:13]))
    return Figures(
        queued=int(counted["queued"]),
        running=int(counted["running"]),
        doubted=int(counted["doubted"]),
        oldest=dict(oldest),
        tasks=Counter("nvenc" if demand.nvenc_sessions else "cpu" for demand in held),
        threads=sum(demand.cpu_threads for demand in held),
        sessions=sum(demand.nvenc_sessions for demand in held),
        nodes={row["state"]: int(row["nodes"]) for row in nodes},
        unsealed_since=unsealed["at"],
        undelivered=int(outbox["pending"]),
        undelivered_since=outbox["oldest"],
    )
