"""What of the node is given to which attempt. A slot is free again when the attempt's processes are reaped, not before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.capacity import Capacity, Free, emptiest, remaining
from shared.protocol import AttemptRef, StartTask


@dataclass(frozen=True)
class Grant:
    cpu_threads: int
    memory: int
    scratch: int
    nvenc_sessions: int
    pixel_rate: int = 0
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
        pixel_rate=order.pixel_rate,
    )


def fits(grant: Grant, free: Free) -> bool:
    return (
        grant.cpu_threads <= free.cpu_threads
        and grant.memory <= free.memory
        and grant.scratch <= free.scratch
        and grant.nvenc_sessions <= free.nvenc_sessions
        and (free.pixel_rate is None or grant.pixel_rate <= free.pixel_rate)
    )
