"""Which node may take a task, and how much of the node the task then holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shared.capacity import Capacity, Demand, Free
from shared.ids import BootId, ClusterId, NodeId
from shared.jobspec import HardwarePreference


@dataclass(frozen=True)
class Need:
    """What a task asks of a node besides room; equal needs wait in one line."""

    cluster_id: ClusterId | None
    labels: Mapping[str, str]
    hardware: HardwarePreference


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


def grant(need: Need, demand: Demand, offer: Offer) -> Demand | None:
    """What the task would hold on this node; None when there is no room for it now."""
    if not suits(need, cluster_id=offer.cluster_id, labels=offer.labels):
        return None
    if demand.memory > offer.free.memory or demand.scratch > offer.free.scratch:
        return None
    hardware = _in_hardware(need, demand, offer)
    if hardware is not None:
        return hardware
    if need.hardware is HardwarePreference.REQUIRE:
        return None
    threads = min(demand.cpu_threads, offer.capacity.cpu_threads)
    if threads > offer.free.cpu_threads:
        return None
    return demand.model_copy(update={"cpu_threads": threads, "nvenc_sessions": 0})


def _in_hardware(need: Need, demand: Demand, offer: Offer) -> Demand | None:
    sessions = demand.nvenc_sessions
    if need.hardware is HardwarePreference.AVOID or sessions == 0 or sessions > offer.free.nvenc_sessions:
        return None
    threads = min(HARDWARE_THREADS, offer.capacity.cpu_threads)
    if threads > offer.free.cpu_threads:
        return None
    return demand.model_copy(update={"cpu_threads": threads})


HARDWARE_THREADS = 1
"""What feeding a card costs: demuxing, sound, thumbnails, muxing."""


def reserved(need: Need, demand: Demand, offers: Iterable[Offer]) -> Offer | None:
    """The node on which a task that fits nowhere now is to wait, with only the room that it will leave to others.

    Without it, small tasks would pass a large one for ever. None when no node here could ever run the task.
    """
    able = [
        (offer, held)
        for offer in offers
        if (held := grant(need, demand, replace(offer, free=whole(offer.capacity)))) is not None
    ]
    if not able:
        return None
    offer, held = max(able, key=lambda pair: (pair[0].free.cpu_threads, pair[0].free.memory))
    return offer.after(held)


def best(need: Need, demand: Demand, offers: Iterable[Offer]) -> tuple[Offer, Demand] | None:
    """The offer that keeps most room for others: hardware first when it is wanted, then the emptiest node."""
    fitting = [(offer, held) for offer in offers if (held := grant(need, demand, offer)) is not None]
    if not fitting:
        return None
    return max(fitting, key=lambda pair: (pair[1].nvenc_sessions > 0, pair[0].free.cpu_threads, pair[0].free.memory))
