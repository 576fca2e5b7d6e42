"""What of the node is given to which attempt. A slot is free again when the attempt's processes are reaped, not before."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import structlog

from agent.capacity import Space
from shared.capacity import Capacity, Free, emptiest, remaining
from shared.failures import FailureReason
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


log = structlog.get_logger()


@dataclass(frozen=True)
class Doubt:
    """Sessions that work found there to be, where the probes found more."""

    sessions: int
    passes: bool

    def beside(self, other: Doubt) -> Doubt:
        """The worse of both."""
        return Doubt(min(self.sessions, other.sessions), self.passes and other.passes)


class Slots:
    """The ledger. `changed` is set whenever there may be more room than the control plane was told."""

    def __init__(self, capacity: Capacity, *, disk: Callable[[], Space]) -> None:
        self._capacity = capacity
        self._disk = disk
        self._doubts: dict[int | None, Doubt] = {}
        """By card; None is the cap that cards share."""
        self.doubted = asyncio.Event()
        """Set when a card turned out to have less than was probed, but only for now: it is worth another look later."""
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

    def settle(self, ref: AttemptRef) -> None:
        """All but the sessions: the driver takes a moment to let go of those of a process that has just ended."""
        if ref in self._grants:
            kept = self._grants[ref]
            self._grants[ref] = replace(kept, cpu_threads=0, memory=0, scratch=0, pixel_rate=0)
            self.changed.set()

    def encoders(self, ref: AttemptRef) -> frozenset[str]:
        """Those that work on the card that an attempt has; none, where it has no card."""
        card = self._grants[ref].gpu
        return frozenset(name for gpu in self._capacity.gpus if gpu.index == card for name in gpu.encoders)

    def widen(self, ref: AttemptRef, threads: int) -> int:
        """More threads for an attempt that needs more than it thought, as far as they are idle; how many it then has."""
        grant = self._grants[ref]
        more = min(self.free().cpu_threads, max(0, threads - grant.cpu_threads))
        self._grants[ref] = replace(grant, cpu_threads=grant.cpu_threads + more)
        self.changed.set()
        return grant.cpu_threads + more

    def learn(self, ref: AttemptRef, reason: FailureReason) -> None:
        """What a failure tells of the card that it happened on. One that is busy has a session less than were asked of it."""
        card = self._grants[ref].gpu
        if card is None or reason not in LESSONS:
            return
        is_busy = reason is FailureReason.HARDWARE_BUSY
        sharing = {gpu.index for gpu in self._capacity.gpus if gpu.shares_cap}
        subject, cards = (None, sharing) if is_busy and card in sharing else (card, {card})
        in_use = sum(grant.nvenc_sessions for grant in self._grants.values() if grant.gpu in cards)
        doubt = Doubt(max(0, in_use - 1) if is_busy else 0, LESSONS[reason])
        self._doubts[subject] = doubt.beside(self._doubts.get(subject, doubt))
        log.warning("gpu.doubted", index=card, reason=reason, sessions=doubt.sessions, passes=doubt.passes)
        self.changed.set()
        if doubt.passes:
            self.doubted.set()

    def trust_again(self) -> None:
        """What was busy may be free now. What never works stays out until the next probe."""
        self.doubted.clear()
        self._doubts = {subject: doubt for subject, doubt in self._doubts.items() if not doubt.passes}
        self.changed.set()

    def resize(self, capacity: Capacity) -> None:
        """The probes found something else; what is granted stays granted, and what work found out is outdated."""
        self._capacity = capacity
        self._doubts = {}
        self.doubted.clear()
        self.changed.set()

    def free(self) -> Free:
        """Of the disk nothing, while less is free than twice what the largest attempt may still write."""
        grants = tuple(self._grants.values())
        left = remaining(doubted(self._capacity, self._doubts), grants)
        space = self._disk()
        floor = max(space.reserve, 2 * max((grant.scratch for grant in grants), default=0))
        scratch = min(left.scratch, space.left) if space.free >= floor else 0
        return left.model_copy(update={"scratch": scratch})


LESSONS: Final[Mapping[FailureReason, bool]] = {
    FailureReason.HARDWARE_BUSY: True,
    FailureReason.HARDWARE_FAILED: True,
    FailureReason.STALLED: True,
    FailureReason.HARDWARE_UNSUPPORTED: False,
    FailureReason.DRIVER_TOO_OLD: False,
}
"""Failures that say something of the card and not of the picture, and whether it may be better later."""


def doubted(capacity: Capacity, doubts: Mapping[int | None, Doubt]) -> Capacity:
    """As far as it is believed in."""
    if not doubts:
        return capacity
    trusted = Doubt(sessions=sys.maxsize, passes=True)
    gpus = tuple(
        gpu.model_copy(update={"sessions": min(gpu.sessions, doubts.get(gpu.index, trusted).sessions)})
        for gpu in capacity.gpus
    )
    shared = capacity.shared_nvenc_sessions
    if shared is not None:
        shared = min(shared, doubts.get(None, trusted).sessions)
    return capacity.model_copy(update={"gpus": gpus, "shared_nvenc_sessions": shared})


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
