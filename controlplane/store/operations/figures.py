"""How it stands, in figures: what is read off the database when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from controlplane.store.operations.needs import need_from_json
from controlplane.store.port import Op, call
from shared.capacity import Demand
from shared.ids import made_at

LANES_TOGETHER: Final = 250
"""Looked at before others have their turn."""


@dataclass(frozen=True)
class Figures:
    queued: int
    running: int
    doubted: int
    """Tenants of whose jobs too many failed."""
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


class Oldest(NamedTuple):
    """Times by hardware, and the last lane that was looked at: none when there was none any more."""

    submitted_at: Mapping[str, int]
    last: int | None


def read() -> Op[Figures]:
    (counted,) = yield call("queue_figures")
    held = [Demand.model_validate_json(row["granted"]) for row in (yield call("held_demands"))]
    nodes = yield call("nodes_by_state")
    (unsealed,) = yield call("oldest_unsealed")
    (outbox,) = yield call("outbox_figures")
    return Figures(
        queued=int(counted["queued"]),
        running=int(counted["running"]),
        doubted=int(counted["doubted"]),
        tasks=Counter("nvenc" if demand.nvenc_sessions else "cpu" for demand in held),
        threads=sum(demand.cpu_threads for demand in held),
        sessions=sum(demand.nvenc_sessions for demand in held),
        nodes={row["state"]: int(row["nodes"]) for row in nodes},
        unsealed_since=unsealed["at"],
        undelivered=int(outbox["pending"]),
        undelivered_since=outbox["oldest"],
    )


def oldest(after: int) -> Op[Oldest]:
    """When the oldest waiting job of some lanes was submitted, by what it says about hardware: of those after some lane."""
    (span,) = yield call("span_of_lanes", after=after, size=LANES_TOGETHER)
    if span["last"] is None:
        return Oldest({}, None)
    found: dict[str, int] = {}
    for row in (yield call("oldest_in_lanes", after=after, upto=span["last"])):
        hardware, submitted_at = str(need_from_json(row["need"]).hardware), made_at(row["id"])
        found[hardware] = min(submitted_at, found.get(hardware, submitted_at))
    return Oldest(found, span["last"])
