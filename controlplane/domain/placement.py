"""Which node may take a task, and how much of the node the task then holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from shared.capacity import Capacity, Demand, Free, FreeCard, emptiest, remaining
from shared.errors import InvalidField
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
    is_idle: bool = True
    is_on_trial: bool = False
    """It may take one task, and is trusted again when that succeeds."""

    @cached_property
    def idle(self) -> Offer:
        """The node if it did nothing."""
        return replace(self, free=remaining(self.capacity, ()))

    def after(self, grant: Demand) -> Offer:
        return replace(self, free=_less(self.free, self.capacity, grant), is_idle=False)


def lesser(one: Free, other: Free) -> Free:
    """The more cautious of two views of the same node, dimension by dimension."""
    cards = _lesser_cards(one, other)
    sessions = min(one.nvenc_sessions, other.nvenc_sessions)
    return Free(
        cpu_threads=min(one.cpu_threads, other.cpu_threads),
        memory=min(one.memory, other.memory),
        scratch=min(one.scratch, other.scratch),
        nvenc_sessions=max((card.nvenc_sessions for card in cards), default=sessions),
        cards=cards,
        shared_nvenc_sessions=_least(one.shared_nvenc_sessions, other.shared_nvenc_sessions),
        pixel_rate=_least(one.pixel_rate, other.pixel_rate),
    )


def _lesser_cards(one: Free, other: Free) -> tuple[FreeCard, ...]:
    """A view without cards says only what the best of them has."""
    mine = {card.index: card.nvenc_sessions for card in one.cards}
    theirs = {card.index: card.nvenc_sessions for card in other.cards}
    return tuple(
        FreeCard(
            index=index,
            nvenc_sessions=min(mine.get(index, one.nvenc_sessions), theirs.get(index, other.nvenc_sessions)),
        )
        for index in sorted(mine.keys() | theirs.keys())
    )


def _least(one: int | None, other: int | None) -> int | None:
    known = [bound for bound in (one, other) if bound is not None]
    return min(known, default=None)


def _less(free: Free, capacity: Capacity, grant: Demand) -> Free:
    """What is left when this is served as well."""
    capped = {gpu.index for gpu in capacity.gpus if gpu.shares_cap}
    shared = free.shared_nvenc_sessions
    if shared is not None and grant.gpu in capped:
        shared = max(0, shared - grant.nvenc_sessions)
    cards = tuple(_card_less(card, grant, shared if card.index in capped else None) for card in free.cards)
    return Free(
        cpu_threads=max(0, free.cpu_threads - grant.cpu_threads),
        memory=max(0, free.memory - grant.memory),
        scratch=max(0, free.scratch - grant.scratch),
        nvenc_sessions=max(
            (card.nvenc_sessions for card in cards), default=max(0, free.nvenc_sessions - grant.nvenc_sessions)
        ),
        cards=cards,
        shared_nvenc_sessions=shared,
        pixel_rate=None if free.pixel_rate is None else max(0, free.pixel_rate - grant.pixel_rate),
    )


def _card_less(card: FreeCard, grant: Demand, shared: int | None) -> FreeCard:
    left = card.nvenc_sessions - (grant.nvenc_sessions if card.index == grant.gpu else 0)
    return FreeCard(index=card.index, nvenc_sessions=max(0, left if shared is None else min(left, shared)))


def suits(need: Need, *, cluster_id: ClusterId, labels: Mapping[str, str]) -> bool:
    """Whether a node is of the kind that is asked for, however busy it may be."""
    if need.cluster_id is not None and need.cluster_id != cluster_id:
        return False
    return need.labels.items() <= labels.items()


def suiting(need: Need, offers: Iterable[Offer]) -> list[Offer]:
    """Those of the kind that is asked for, which is most quickly seen."""
    return [offer for offer in offers if suits(need, cluster_id=offer.cluster_id, labels=offer.labels)]


def check_hardware(need: Need) -> None:
    """Raises InvalidField for what a card is to encode of which no card encodes anything: it would wait for ever."""
    if need.hardware is HardwarePreference.REQUIRE and need.demand.nvenc_sessions == 0:
        detail = "Cards encode h264 and hevc, and no output of this job is either."
        raise InvalidField(detail, pointer="/placement/hardware")


def grant(need: Need, offer: Offer) -> Demand | None:
    """What the task would hold on this node; None when there is no room for it now."""
    demand, free = need.demand, offer.free
    if not suits(need, cluster_id=offer.cluster_id, labels=offer.labels):
        return None
    pixel_rate = _least(demand.pixel_rate, offer.capacity.pixel_rate) or 0
    if demand.memory > free.memory or demand.scratch > free.scratch or _exceeds(pixel_rate, free.pixel_rate):
        return None
    beside_a_card = min(demand.feed_threads, offer.capacity.cpu_threads)
    if _fits_a_card(need, free) and beside_a_card <= free.cpu_threads:
        gpu = emptiest(free.cards) if free.cards else None
        return demand.model_copy(update={"cpu_threads": beside_a_card, "gpu": gpu, "pixel_rate": pixel_rate})
    in_software = min(demand.cpu_threads, _most_for_software(offer.capacity))
    if need.hardware is HardwarePreference.REQUIRE or in_software > _free_for_software(offer):
        return None
    return demand.model_copy(update={"cpu_threads": in_software, "nvenc_sessions": 0, "pixel_rate": pixel_rate})


def _exceeds(wanted: int, free: int | None) -> bool:
    return free is not None and wanted > free


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
    return grant(need, offer.idle) is not None


def reserved(need: Need, offers: Iterable[Offer]) -> Offer | None:
    """The node on which a task that fits nowhere now is to wait, with only the room that it will leave to others.

    Without it, small tasks would pass a large one for ever. None when no node here could ever run the task.
    """
    able = [(offer, held) for offer in offers if (held := grant(need, offer.idle)) is not None]
    if not able:
        return None
    offer, held = max(able, key=lambda pair: (pair[0].free.cpu_threads, pair[0].free.memory))
    return offer.after(held)


def elsewhere(need: Need, offers: Iterable[Offer], failed_on: Collection[NodeId]) -> list[Offer]:
    """Without the nodes on which the task failed before, as long as another here could run it."""
    all_of_them = list(offers)
    others = [offer for offer in all_of_them if offer.node_id not in failed_on]
    return (
        others if len(others) == len(all_of_them) or any(could_ever(need, offer) for offer in others) else all_of_them
    )


def best(need: Need, offers: Iterable[Offer]) -> tuple[Offer, Demand] | None:
    """The offer that keeps most room for others: hardware first when it is wanted, then the emptiest node."""
    fitting = [(offer, held) for offer in offers if (held := grant(need, offer)) is not None]
    if not fitting:
        return None
    return max(fitting, key=lambda pair: (pair[1].nvenc_sessions > 0, pair[0].free.cpu_threads, pair[0].free.memory))
