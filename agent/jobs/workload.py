"""Everything this node works on, and what it may still take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog

from agent.jobs.attempt import Attempt, EndReason
from agent.jobs.disk import Use, used
from agent.jobs.outbox import Outbox
from agent.jobs.runner import Runner
from agent.jobs.slots import NoRoom, Slots
from agent.jobs.workspace import is_nameable
from shared.capacity import Free
from shared.protocol import AttemptProgress, AttemptRef, LogTail, Progress, StartTask
from shared.statuses import Phase

SETTLE: Final = 1.0
"""Seconds for which a card's sessions are not given out again after the process that had them was reaped."""
_NOTHING: Final = Free(cpu_threads=0, memory=0, scratch=0, nvenc_sessions=0)

log = structlog.get_logger()


class Workload:
    """Attempts run as tasks of `group`, which the caller owns and therefore outlives them all."""

    def __init__(
        self, group: asyncio.TaskGroup, runner: Runner, slots: Slots, outbox: Outbox, *, settle: float = SETTLE
    ) -> None:
        self._group = group
        self._runner = runner
        self._slots = slots
        self._outbox = outbox
        self._settle = settle
        self._attempts: dict[AttemptRef, Attempt] = {}
        self._is_paused = False
        self._is_closed = False
        self._is_set_aside = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.busy = asyncio.Event()

    @property
    def changed(self) -> asyncio.Event:
        """Set when `free` may differ from what the control plane was told in a poll that it still holds."""
        return self._slots.changed

    def free(self) -> Free:
        return self._slots.free() if self._takes_work else _NOTHING

    def start(self, order: StartTask) -> None:
        """Obey, once: an order that comes again (its answer was lost) starts nothing new."""
        if order.ref in self._attempts or order.ref in self._outbox:
            return
        if not is_nameable(order.ref):
            log.error("order.unnameable", task_id=order.ref.task_id)
            return
        self._drop_earlier(order)
        attempt = Attempt(order)
        try:
            refusal = self._refusal()
            if refusal is None:
                attempt.gpu = self._slots.take(order).gpu
        except NoRoom:
            refusal = "The node has no room for it."
        self._attempts[order.ref] = attempt
        self._idle.clear()
        self.busy.set()
        work = self._runner.run(attempt) if refusal is None else self._runner.hand_back(attempt, refusal)
        task = self._group.create_task(work, name=f"attempt {order.ref.task_id}.{order.ref.attempt}")
        task.add_done_callback(lambda _: self._forget(attempt))

    def stop(self, ref: AttemptRef) -> None:
        self._end(ref, EndReason.STOPPED)

    def drop(self, ref: AttemptRef) -> None:
        self._end(ref, EndReason.DROPPED)

    def hand_back_all(self, because: str) -> None:
        for attempt in self._attempts.values():
            attempt.end(EndReason.HANDED_BACK, because)

    @property
    def is_paused(self) -> bool:
        """Whether the control plane wants it to take no new work."""
        return self._is_paused

    def pause(self, paused: bool) -> None:
        """Take no new work until told otherwise."""
        if paused != self._is_paused:
            log.info("node.draining" if paused else "node.resumed")
            self._is_paused = paused
            self._slots.changed.set()

    def close(self) -> None:
        """Take no new work ever again."""
        self._is_closed = True
        self._slots.changed.set()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Take no work meanwhile: what was granted before that was heard is handed back."""
        self._is_set_aside = True
        self._slots.changed.set()
        try:
            yield
        finally:
            self._is_set_aside = False
            self._slots.changed.set()

    async def wait_idle(self) -> None:
        """Nothing runs when this returns: work that came between the end of the last and our turn is waited for, too."""
        while not self._idle.is_set():
            await self._idle.wait()

    def running(self) -> tuple[AttemptProgress, ...]:
        return tuple(attempt.told for attempt in self._attempts.values())

    def tails(self) -> Mapping[AttemptRef, LogTail]:
        return {ref: attempt.tail.told for ref, attempt in self._attempts.items()}

    def is_any(self, ended: EndReason) -> bool:
        return any(attempt.ended is ended for attempt in self._attempts.values())

    def uses_of_disk(self) -> list[tuple[AttemptRef, Use]]:
        """Of every attempt that goes on; looks at the disk."""
        going_on = [attempt for attempt in list(self._attempts.values()) if attempt.ended is None]
        return [
            (attempt.ref, Use(used(self._runner.place_of(attempt.ref)), attempt.order.scratch)) for attempt in going_on
        ]

    def end_for_space(self, ref: AttemptRef) -> None:
        self._end(ref, EndReason.STORAGE_FULL)

    def leased(self) -> tuple[AttemptProgress, ...]:
        """All whose lease must be kept alive: what runs, and what ended and is not answered yet."""
        reported = tuple(
            AttemptProgress(ref=ref, progress=Progress(phase=Phase.PUBLISHING, percent=99.9))
            for ref in self._outbox.refs()
            if ref not in self._attempts
        )
        return self.running() + reported

    @property
    def _takes_work(self) -> bool:
        return not (self._is_paused or self._is_closed or self._is_set_aside)

    def _refusal(self) -> str | None:
        return None if self._takes_work else "The node takes no new work."

    def _drop_earlier(self, order: StartTask) -> None:
        """A new grant of the same task means that the lease of the earlier one is gone."""
        for ref in self._attempts:
            if ref.task_id == order.ref.task_id:
                self.drop(ref)

    def _end(self, ref: AttemptRef, reason: EndReason) -> None:
        if ref in self._attempts:
            self._attempts[ref].end(reason)

    def _forget(self, attempt: Attempt) -> None:
        self._attempts.pop(attempt.ref, None)
        if attempt.gpu is None:
            self._slots.give_back(attempt.ref)
        else:
            self._slots.settle(attempt.ref)
            asyncio.get_running_loop().call_later(self._settle, self._slots.give_back, attempt.ref)
        if not self._attempts:
            self.busy.clear()
            self._idle.set()
