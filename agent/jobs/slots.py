"""What of the node is given to which attempt. A slot is free again when the attempt's processes are reaped, not before."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.capacity import Capacity, Free, FreeCard
from shared.protocol import AttemptRef, StartTask


@dataclass(frozen=True)
class Grant:
    cpu_threads: int
    memory: int
    scratch: int
    nvenc_sessions: int
    gpu: int | None = None
    """The card on which all of its sessions are opened."""


class NoRoom(Exception):
    """The order needs more than is left."""


class Slots:
    """The ledger. `changed` is set whenever there may be more room than the control plane was told."""

    def __init__(self, capacity: Capacity, *, scratch_left: Callable[[], int]) -> None:
        self._capacity = capacity
        self._scratch_left = scratch_left
        self._grants: dict[AttemptRef, Grant] = {}
        self.changed = asyncio.Event()

    def take(self, order: StartTask) -> Grant:
        """Raises NoRoom."""
        free = self.free()
        grant = grant_of(order, self._capacity)
        if not fits(grant, free):
            raise NoRoom
        if grant.nvenc_sessions:
            grant = replace(grant, gpu=emptiest(free.cards))
        self._grants[order.ref] = grant
        return grant

    def give_back(self, ref: AttemptRef) -> None:
        if self._grants.pop(ref, None) is not None:
            self.changed.set()

    def resize(self, capacity: Capacity) -> None:
        """The probes found something else; what is granted stays granted."""
        self._capacity = capacity
        self.changed.set()

    def free(self) -> Free:
        left = remaining(self._capacity, tuple(self._grants.values()))
        return left.model_copy(update={"scratch": max(0, min(left.scratch, self._scratch_left()))})


def grant_of(order: StartTask, capacity: Capacity) -> Grant:
    """What an order takes; threads can be shared, so more than the node has means all of them."""
    return Grant(
        cpu_threads=min(order.cpu_threads, capacity.cpu_threads),
        memory=order.memory,
        scratch=order.scratch,
        nvenc_sessions=order.nvenc_sessions,
    )


def remaining(capacity: Capacity, grants: tuple[Grant, ...]) -> Free:
    used = Counter[int | None]()
    for grant in grants:
        used[grant.gpu] += grant.nvenc_sessions
    shared = _left_of_shared_cap(capacity, used)
    cards = _cards_left(capacity, used, shared)
    return Free(
        cpu_threads=max(0, capacity.cpu_threads - sum(grant.cpu_threads for grant in grants)),
        memory=max(0, capacity.memory - sum(grant.memory for grant in grants)),
        scratch=max(0, capacity.scratch - sum(grant.scratch for grant in grants)),
        nvenc_sessions=max((card.nvenc_sessions for card in cards), default=0),
        cards=cards,
        shared_nvenc_sessions=shared,
    )


def _left_of_shared_cap(capacity: Capacity, used: Counter[int | None]) -> int | None:
    if capacity.shared_nvenc_sessions is None:
        return None
    return max(0, capacity.shared_nvenc_sessions - sum(used[gpu.index] for gpu in capacity.gpus if gpu.shares_cap))


def _cards_left(capacity: Capacity, used: Counter[int | None], shared: int | None) -> tuple[FreeCard, ...]:
    return tuple(
        FreeCard(
            index=gpu.index,
            nvenc_sessions=max(
                0,
                min(gpu.sessions - used[gpu.index], shared if gpu.shares_cap and shared is not None else gpu.sessions),
            ),
        )
        for gpu in capacity.gpus
        if gpu.encoders
    )


def emptiest(cards: tuple[FreeCard, ...]) -> int:
    """The card with most sessions left; the first of several."""
    return max(cards, key=lambda card: (card.nvenc_sessions, -card.index)).index


def fits(grant: Grant, free: Free) -> bool:
    return (
        grant.cpu_threads <= free.cpu_threads
        and grant.memory <= free.memory
        and grant.scratch <= free.scratch
        and grant.nvenc_sessions <= free.nvenc_sessions
    )
