"""Leases, from the word of a node that it begins until the report: every message about an attempt but that one."""

from __future__ import annotations

import contextlib
from typing import Final

import structlog

from controlplane import metrics
from controlplane.domain.sources import Source
from controlplane.services.files import JobFiles, attempt_name
from controlplane.services.orders import LINK_SECONDS, Orders
from controlplane.services.signals import Signals
from controlplane.services.tempo import Tempo
from controlplane.storage.files import staging_key
from controlplane.storage.links import Links
from controlplane.store.operations import attempts, dispatch, trust
from controlplane.store.port import Store
from controlplane.store.records import Node
from shared.clock import Clock
from shared.errors import StaleLease
from shared.ids import BootId, JobId, NodeId
from shared.protocol import (
    AttemptProgress,
    AttemptRef,
    BeatAnswer,
    BeatRequest,
    Progress,
    ProgressRequest,
    Timings,
    Upload,
    UrlsAnswer,
    UrlsRequest,
    Verdict,
)
from shared.statuses import NodeState

log = structlog.get_logger()

_ACCEPTED, _RENEWED = map(metrics.LEASES.labels, ("accepted", "renewed"))

MOST_ACCEPTED: Final = 10_000
"""Attempts that are remembered as accepted here: of others the database is asked."""


class Leases:
    def __init__(
        self, store: Store, clock: Clock, signals: Signals, links: Links, orders: Orders, tempo: Tempo
    ) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._links = links
        self._orders = orders
        self._tempo = tempo
        self._accepted: dict[AttemptRef, NodeId] = {}
        self._progress: dict[JobId, tuple[AttemptRef, Progress]] = {}

    async def accept(self, node: Node, ref: AttemptRef) -> Timings:
        now = self._clock.now_ms()
        acceptance = dispatch.Acceptance(ref, node.id, now, expires_at=now + self._tempo.lease_ms)
        job_id = await self._store.write_together(dispatch.accept, acceptance)
        _ACCEPTED.inc()
        self._accepted[ref] = node.id
        if len(self._accepted) > MOST_ACCEPTED:
            del self._accepted[next(iter(self._accepted))]
        if ref.attempt == 1:
            metrics.WAITS.observe(max(0.0, (now - int(job_id[:13])) / 1000))
        self._signals.changed(job_id)
        return self._tempo.timings

    async def is_live(self, ref: AttemptRef, node_id: NodeId) -> bool:
        """Whether the node seems to hold this lease: only what is written under it is sure."""
        if self._accepted.get(ref) == node_id:
            return True
        try:
            await self._store.read(dispatch.live_lease(ref, node_id))
        except StaleLease:
            return False
        return True

    def forget(self, ref: AttemptRef) -> None:
        """The attempt has ended."""
        self._accepted.pop(ref, None)

    async def beat(self, node: Node, request: BeatRequest) -> BeatAnswer:
        renewals = dispatch.beat(
            node.id,
            request.boot_id,
            request.free.model_dump_json(),
            request.attempts,
            now=self._clock.now_ms(),
            lease=self._tempo.lease_ms,
        )
        try:
            heard = await self._store.write(renewals)
        except StaleLease:
            await self.hear_older(node, request.boot_id)
            raise
        _RENEWED.inc(sum(verdict != "drop" for verdict in heard.verdicts))
        return BeatAnswer(
            verdicts=tuple(
                Verdict(ref=attempt.ref, verdict=verdict)
                for attempt, verdict in zip(request.attempts, heard.verdicts, strict=True)
            ),
            timings=self._tempo.timings,
            draining=heard.state is NodeState.DRAINING,
            reprobe=heard.reprobe,
        )

    async def progress(self, node: Node, request: ProgressRequest) -> None:
        """For those who watch. Stale attempts are passed over in silence: their next beat is told."""
        for attempt in request.attempts:
            try:
                task = await self._store.read(dispatch.live_lease(attempt.ref, node.id))
            except StaleLease:
                continue
            known = self._progress.get(task.job_id)
            if known and known[0] == attempt.ref and known[1].percent > attempt.progress.percent:
                continue
            self._progress[task.job_id] = (attempt.ref, attempt.progress)
            if len(attempt.events) > task.noted:
                await self._note(node, attempt)
            self._signals.changed(task.job_id)

    async def _note(self, node: Node, attempt: AttemptProgress) -> None:
        with contextlib.suppress(StaleLease):
            await self._store.write(attempts.note_of(attempt.ref, node.id, attempt.events, self._clock.now_ms()))

    async def urls(self, node: Node, request: UrlsRequest) -> UrlsAnswer:
        """Where to put the files of a live attempt. Raises StaleLease."""
        task = await self._store.read(dispatch.live_lease(request.ref, node.id))
        files = JobFiles.model_validate_json(task.files)
        staging = staging_key(attempt_name(task.id, task.attempt))
        return UrlsAnswer(
            uploads=tuple(
                Upload(
                    name=staged.name,
                    url=self._links.sign(
                        "stage", files.tenant_id, files.output_bucket, f"{staging}/{staged.name}", seconds=LINK_SECONDS
                    ),
                )
                for staged in request.files
            ),
            inputs=tuple(
                self._orders.input(index, Source(files.inputs[index]), files)
                for index in request.inputs
                if 0 <= index < len(files.inputs)
            ),
        )

    def progress_of(self, job_id: JobId) -> Progress | None:
        found = self._progress.get(job_id)
        return found[1] if found else None

    def every_progress(self) -> list[Progress]:
        """Of the attempts whose nodes told it."""
        return [progress for _, progress in self._progress.values()]

    def forget_progress(self, job_id: JobId) -> None:
        self._progress.pop(job_id, None)

    async def hear_older(self, node: Node, boot_id: BootId) -> None:
        """A start that another has followed is still alive."""
        spoken = trust.older_start_speaks(node.id, boot_id, now=self._clock.now_ms(), lease=self._tempo.lease_ms)
        if await self._store.write(spoken):
            log.error("node.cloned", node_id=node.id, boot_id=boot_id, runs_now=node.boot_id)
