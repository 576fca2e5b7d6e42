"""Which node may take a task, and how much of the node the task then holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from shared.capacity import Capacity, Demand, Free
from shared.ids import BootId, ClusterId, NodeId
from shared.jobspec import HardwarePreference


@dataclass(frozen=True)
class Need:
    """What a task asks of a node: the kind, and the room. Equal needs wait in one lane, so that where the first of them
    has no room the others have none either."""

    cluster_id: ClusterId | None
    labels: Mapping[str, str]
    hardware: HardwarePreference
    demand: Demand


@dataclass(frozen=True)
class Offer:
    """A node whose poll waits for work, with what it has and what is left of it."""

    node_id: NodeId
    boot_id: BootId
    cluster_id: ClusterId
    labels: Mapping[str, str]
    capacity: Capacity
    free: Free

    def after(self, grant: Demand) -> Offer:
        return replace(self, free=minus(self.free, [grant]))


def minus(free: Free, taken: Iterable[Demand]) -> Free:
    """What is left when these are served; never below nothing."""
    grants = list(taken)
    return Free(
        cpu_threads=max(0, free.cpu_threads - sum(g.cpu_threads for g in grants)),
        memory=max(0, free.memory - sum(g.memory for g in grants)),
        scratch=max(0, free.scratch - sum(g.scratch for g in grants)),
        nvenc_sessions=max(0, free.nvenc_sessions - sum(g.nvenc_sessions for g in grants)),
    )


def lesser(one: Free, other: Free) -> Free:
    """The more cautious of two views of the same node, dimension by dimension."""
    return Free(
        cpu_threads=min(one.cpu_threads, other.cpu_threads),
        memory=min(one.memory, other.memory),
        scratch=min(one.scratch, other.scratch),
        nvenc_sessions=min(one.nvenc_sessions, other.nvenc_sessions),
    )


def whole(capacity: Capacity) -> Free:
    """A node of this capacity that does nothing."""
    return Free(
        cpu_threads=capacity.cpu_threads,
        memory=capacity.memory,
        scratch=capacity.scratch,
        nvenc_sessions=capacity.nvenc_sessions,
    )


def suits(need: Need, *, cluster_id: ClusterId, labels: Mapping[str, str]) -> bool:
    """Whether a node is of the kind that is asked for, however busy it may be."""
    if need.cluster_id is not None and need.cluster_id != cluster_id:
        return False
    return all(labels.get(key) == value for key, value in need.labels.items())


def grant(need: Need, offer: Offer) -> Demand | None:
    """What the task would hold on this node; None when there is no room for it now."""
    demand, free = need.demand, offer.free
    if not suits(need, cluster_id=offer.cluster_id, labels=offer.labels):
        return None
    if demand.memory > free.memory or demand.scratch > free.scratch:
        return None
    beside_a_card = min(demand.feed_threads, offer.capacity.cpu_threads)
    if _fits_a_card(need, free) and beside_a_card <= free.cpu_threads:
        return demand.model_copy(update={"cpu_threads": beside_a_card})
    in_software = min(demand.cpu_threads, _most_for_software(offer.capacity))
    if need.hardware is HardwarePreference.REQUIRE or in_software > _free_for_software(offer):
        return None
    return demand.model_copy(update={"cpu_threads": in_software, "nvenc_sessions": 0})


def _fits_a_card(need: Need, free: Free) -> bool:
    sessions = need.demand.nvenc_sessions
    return need.hardware is not HardwarePreference.AVOID and 0 < sessions <= free.nvenc_sessions


KEPT_THREADS: Final = 1
"""Software leaves so many alone on a node with a card: work for the processor must not idle the card."""


def _most_for_software(capacity: Capacity) -> int:
    """A task that wants more threads than that takes all of them: threads can be shared."""
    return capacity.cpu_threads - (KEPT_THREADS if capacity.nvenc_sessions and capacity.cpu_threads > 1 else 0)


def _free_for_software(offer: Offer) -> int:
    """Once all sessions are taken, what works on the card holds its threads already."""
    kept = offer.capacity.cpu_threads - _most_for_software(offer.capacity)
    return offer.free.cpu_threads - (kept if offer.free.nvenc_sessions else 0)


def could_ever(need: Need, offer: Offer) -> bool:
    """Whether this node could run the task if it did nothing else."""
    return grant(need, replace(offer, free=whole(offer.capacity))) is not None


def reserved(need: Need, offers: Iterable[Offer]) -> Offer | None:
    """The node on which a task that fits nowhere now is to wait, with only the room that it will leave to others.

    Without it, small tasks would pass a large one for ever. None when no node here could ever run the task.
    """
    able = [
        (offer, held)
        for offer in offers
        if (held := grant(need, replace(offer, free=whole(offer.capacity)))) is not None
    ]
    if not able:
        return None
    offer, held = max(able, key=lambda pair: (pair[0].free.cpu_threads, pair[0].free.memory))
    return offer.after(held)


def best(need: Need, offers: Iterable[Offer]) -> tuple[Offer, Demand] | None:
    """The offer that keeps most room for others: hardware first when it is wanted, then the emptiest node."""
    fitting = [(offer, held) for offer in offers if (held := grant(need, offer)) is not None]
    if not fitting:
        return None
    return max(fitting, key=lambda pair: (pair[1].nvenc_sessions > 0, pair[0].free.cpu_threads, pair[0].free.memory))
