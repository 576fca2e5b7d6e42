"""Reports that the control plane has not answered yet. Each is on disk before it is sent, and survives everything but a day."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from agent.files import remove_durably, write_durably
from agent.jobs.workspace import name_of
from shared.clock import Clock
from shared.models import Message
from shared.protocol import AttemptRef, ReportRequest

KEPT_FOR_MS: Final = 24 * 3600 * 1000

log = structlog.get_logger()


class Spooled(Message):
    report: ReportRequest
    since_ms: int


class Outbox:
    """One file per report. `filled` is set when there is something new to send, `emptied` while there is nothing at all."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._spooled = {entry.report.ref: entry for entry in _read_all(directory)}
        self.filled = asyncio.Event()
        self.emptied = asyncio.Event()
        (self.filled if self._spooled else self.emptied).set()

    async def put(self, report: ReportRequest) -> None:
        """Returns when the report is on disk; on a full disk it is kept in memory alone, which is better than losing it.

        It takes the place of one of the same name, whose lease came to nothing: nobody wants that any more.
        """
        entry = Spooled(report=report, since_ms=self._clock.now_ms())
        for ref in [ref for ref in self._spooled if ref != report.ref and name_of(ref) == name_of(report.ref)]:
            del self._spooled[ref]
        try:
            await asyncio.to_thread(write_durably, self._path(report.ref), entry.model_dump_json().encode())
        except OSError as error:
            log.error("report.not_on_disk", task_id=report.ref.task_id, attempt=report.ref.attempt, reason=str(error))
        self._spooled[report.ref] = entry
        self.emptied.clear()
        self.filled.set()

    async def discard(self, ref: AttemptRef) -> None:
        """The report was answered, or nobody wants it any more."""
        if self._spooled.pop(ref, None) is not None:
            await asyncio.to_thread(remove_durably, self._path(ref))
        if not self._spooled:
            self.emptied.set()

    async def discard_expired(self) -> tuple[AttemptRef, ...]:
        """Give up what is older than a day; tells which."""
        oldest = self._clock.now_ms() - KEPT_FOR_MS
        expired = tuple(ref for ref, entry in self._spooled.items() if entry.since_ms < oldest)
        for ref in expired:
            await self.discard(ref)
        return expired

    def reports(self) -> tuple[ReportRequest, ...]:
        return tuple(entry.report for entry in self._spooled.values())

    def refs(self) -> tuple[AttemptRef, ...]:
        return tuple(self._spooled)

    def __contains__(self, ref: AttemptRef) -> bool:
        return ref in self._spooled

    def _path(self, ref: AttemptRef) -> Path:
        return self._directory / f"{name_of(ref)}.json"


def _read_all(directory: Path) -> list[Spooled]:
    return [entry for path in sorted(directory.glob("*.json")) if (entry := _read(path)) is not None]


def _read(path: Path) -> Spooled | None:
    try:
        return Spooled.model_validate_json(path.read_bytes())
    except ValidationError as error:
        log.error("report.unreadable", file=path.name, reason=str(error))
        path.rename(path.with_suffix(".unreadable"))
        return None
