"""What attempts said last: kept while they run, read and followed by tenants, there until the job is swept away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

from controlplane.domain.lifecycle import TERMINAL_JOBS
from controlplane.services.signals import Signals, is_set_within
from controlplane.store.operations import attempts, jobs
from controlplane.store.port import Store
from controlplane.store.records import AttemptLog, Node
from shared.clock import Clock
from shared.ids import Attempt, JobId, TenantId
from shared.protocol import LogRequest
from shared.redaction import cleaned


@dataclass(frozen=True)
class Position:
    """How far a reader has come: everything of earlier attempts, and so many characters of this one."""

    attempt: Attempt
    said: int

    def after(self, log: AttemptLog) -> Position:
        return Position(log.attempt, log.said)


START: Final = Position(Attempt(0), 0)


class Logs:
    def __init__(self, store: Store, clock: Clock, signals: Signals) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals

    async def keep(self, node: Node, request: LogRequest) -> None:
        """Raises StaleLease."""
        operation = attempts.keep_log_of(request.ref, node.id, request.log, self._clock.now_ms())
        self._signals.changed(await self._store.write(operation))

    async def read(self, tenant_id: TenantId, job_id: JobId) -> list[AttemptLog]:
        """Cleaned once more: nodes are not trusted with what tenants' terminals are made to do."""
        await self._store.read(jobs.read(tenant_id, job_id))
        kept = await self._store.read(attempts.logs(job_id))
        return [replace(log, text=cleaned(log.text)) for log in kept]

    async def follow(
        self, tenant_id: TenantId, job_id: JobId, position: Position, quiet: float
    ) -> AsyncIterator[AttemptLog | None]:
        """What is new, each with only the text that the reader lacks, until the job has ended; None after `quiet` seconds.

        Breaks off when the service stops.
        """
        with self._signals.listening(job_id) as changed:
            while True:
                changed.clear()
                job = await self._store.read(jobs.read(tenant_id, job_id))
                for log in await self.read(tenant_id, job_id):
                    if (new := unread(log, position)) is not None:
                        position = position.after(log)
                        yield new
                if job.status in TERMINAL_JOBS or self._signals.is_closed:
                    return
                if not await is_set_within(quiet, changed):
                    yield None


def unread(log: AttemptLog, position: Position) -> AttemptLog | None:
    """The part of a log that lies behind a position."""
    if log.attempt < position.attempt:
        return None
    lacking = log.said - (position.said if log.attempt == position.attempt else 0)
    return replace(log, text=log.text[-lacking:]) if lacking > 0 else None
