"""Whose turn it is: priority, then the tenant whose running work costs least for its weight, then least served, then oldest.

Cost is counted in encoders, not in jobs: a ladder of six renditions in 4K weighs what it takes. It is known from the plan,
counted while a task holds its slots, and times the time it held them it is what the tenant was served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from shared.capacity import Demand
from shared.ids import NodeId, PipelineId, TaskId, TenantId, UserId

ENCODER: Final = 1920 * 1080 * 30
"""Pixels per second of the work that costs one encoder."""
LEAST_COST: Final = 100
"""Thousandths of an encoder: of sound alone, or a very small picture."""
NOBODY: Final[Mapping[UserId, int]] = {}
AGING_MS: Final = 30 * 60 * 1000
"""Waiting this long raises a priority by one, up to what the tenant may have against others."""


@dataclass(frozen=True)
class Standing:
    """How a tenant stands among the others. `cost` is of what runs now, in thousandths of an encoder; `served` of what
    ran before, in thousandths of an encoder times milliseconds.

    `ceiling` is the highest priority that counts against other tenants: above it, a tenant orders its own work alone.
    """

    running: int
    most_running: int | None
    cost: int
    served: int
    weight: int
    ceiling: int

    @property
    def may_run_more(self) -> bool:
        return self.most_running is None or self.running < self.most_running

    def after(self, grant: Demand) -> Standing:
        return replace(self, running=self.running + 1, cost=self.cost + cost(grant))


@dataclass(frozen=True)
class Head:
    """The first task of one lane. Equal needs make equal texts."""

    task_id: TaskId
    tenant_id: TenantId
    user_id: UserId
    pipeline_id: PipelineId
    need: str
    priority: int
    waited_ms: int
    failed_on: tuple[NodeId, ...] = ()
    is_suspect: bool = False
    """An agent died while it worked on this: it runs alone on its node."""


def cost(demand: Demand) -> int:
    """Of a task while it runs, in thousandths of an encoder."""
    return max(LEAST_COST, demand.pixel_rate * 1000 // ENCODER)


def in_turn(
    heads: Iterable[Head], standings: Mapping[TenantId, Standing], may_run: Mapping[UserId, int] = NOBODY
) -> list[Head]:
    """Heads in the order in which they are tried; those of tenants and users that may not run more are left out.

    `may_run` says how many more, of those users who have a limit of their own.
    """
    may_go = [head for head in heads if standings[head.tenant_id].may_run_more and may_run.get(head.user_id, 1) > 0]
    oldest: dict[TenantId, TaskId] = {}
    for head in may_go:
        oldest[head.tenant_id] = min(head.task_id, oldest.get(head.tenant_id, head.task_id))
    return sorted(may_go, key=lambda head: turn(head, standings[head.tenant_id], oldest[head.tenant_id]))


def turn(head: Head, standing: Standing, oldest: TaskId) -> tuple[int, float, float, TaskId, int, TaskId]:
    """Sorts heads. All that decides between tenants, down to the oldest of each, comes before a tenant's own order.

    Ids sort by age.
    """
    aged = head.priority + head.waited_ms // AGING_MS
    return (
        -min(aged, standing.ceiling),
        standing.cost / standing.weight,
        standing.served / standing.weight,
        oldest,
        -head.priority,
        head.task_id,
    )
