"""Takes reports, and makes results visible: once each, whatever crashes in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from controlplane import metrics
from controlplane.domain.results import misfits
from controlplane.services.dispatch import Dispatcher
from controlplane.services.files import JobFiles, attempt_name, make_visible, missing
from controlplane.services.presets import UNREADABLE, UNREADABLE_JOB, planned
from controlplane.services.signals import Signals
from controlplane.settings import Settings
from controlplane.storage.files import FileBucket
from controlplane.store.operations import dispatch, ending, quotas, resources
from controlplane.store.port import Store
from controlplane.store.records import Node, Task
from shared.clock import Clock
from shared.errors import AlreadyExists, StaleLease, StorageFull, TranscoderError, Unavailable
from shared.failures import Cause, Failure, FailureCode
from shared.ids import TaskId
from shared.protocol import Failed, Finished, ReportAnswer, ReportRequest, TranscodeFile
from shared.statuses import TaskState

log = structlog.get_logger()

AT_ONCE = 16
"""Each waits for the disk most of the time, and the disk takes many together."""
RETRY_SECONDS = 5.0
"""Results wait this long for a disk or a database that refused them."""


class Publisher:
    def __init__(
        self, store: Store, clock: Clock, signals: Signals, dispatcher: Dispatcher, settings: Settings
    ) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._dispatcher = dispatcher
        self._settings = settings
        self._queue: asyncio.Queue[TaskId] = asyncio.Queue()

    async def report(self, node: Node, request: ReportRequest) -> ReportAnswer:
        """How an attempt ended. Raises StaleLease when it is not the live one.

        A report of objects that are not there, or that were never asked for, counts as the node's failure.
        """
        checked = await self._checked(node, request)
        taken = ending.report(checked, node.id, self._clock.now_ms(), sent=request, rules=self._settings.rules)
        reported = await self._store.write(taken)
        task = reported.task
        if not reported.repeated:
            if isinstance(checked.outcome, Failed):
                metrics.FAILURES.labels(checked.outcome.failure.cause, checked.outcome.failure.code).inc()
            log.info(
                "attempt.reported", task_id=task.id, attempt=request.ref.attempt, node_id=node.id, state=task.state
            )
            self._signals.changed(task.job_id)
            self._dispatcher.wake()
            if task.state is TaskState.PUBLISHING:
                self._queue.put_nowait(task.id)
            else:
                await self._forget(task, request)
        return ReportAnswer(task_state=task.state)

    async def discard(self, lost: list[dispatch.Lost]) -> None:
        """Removes what attempts that came to nothing left in staging."""
        for ended in lost:
            self._dispatcher.forget_progress(ended.job_id)
            self._signals.changed(ended.job_id)
            staging = JobFiles.model_validate_json(ended.files).staging
            await asyncio.to_thread(staging.discard, attempt_name(ended.task_id, ended.attempt))

    async def sweep(self, keep_uploads: float) -> int:
        """Removes what nobody will ever publish: a process was killed before it could, or a node sent too late.

        And uploads that nobody has added to for this many seconds. How many there were of both.
        """
        removed = 0
        for bucket in await self._store.read(resources.all_buckets()):
            files = FileBucket(Path(bucket.root))
            staged = await asyncio.to_thread(files.staged_attempts)  # first: what is granted since is none of these
            live = {attempt_name(*attempt) for attempt in await self._store.read(ending.live_attempts())}
            for attempt in set(staged) - live:
                await asyncio.to_thread(files.discard, attempt)
                removed += 1
            removed += await asyncio.to_thread(files.forget_uploads, self._clock.now_ms() / 1000 - keep_uploads)
        before = self._clock.now_ms() - int(keep_uploads * 1000)
        await self._store.write(quotas.forget_uploads(before))
        return removed

    async def run(self) -> None:
        """Publishes what is reported, after what an earlier process left unfinished."""
        for task_id in await self._store.read(ending.to_publish()):
            self._queue.put_nowait(task_id)
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._publish_one_by_one(), name=f"publisher-{number}")

    async def _publish_one_by_one(self) -> None:
        while True:
            task_id = await self._queue.get()
            try:
                await self._publish(task_id)
            except UNREADABLE as error:
                log.error("publish.unreadable", task_id=task_id, error=str(error))
                await self._store.write(ending.give_up(task_id, UNREADABLE_JOB, self._clock.now_ms()))
            except (OSError, Unavailable, StorageFull) as error:
                log.error("publish.delayed", task_id=task_id, error=str(error))
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._queue.put_nowait, task_id)

    async def _checked(self, node: Node, request: ReportRequest) -> ReportRequest:
        if not isinstance(request.outcome, Finished):
            return request
        try:
            task = await self._store.read(dispatch.live_lease(request.ref, node.id))
        except StaleLease:
            return request  # a repeated report, or a stale one: the store tells
        files = JobFiles.model_validate_json(task.files)
        work = planned(await self._store.read(dispatch.work(task.id)))
        wrong = misfits(work, request.outcome)
        attempt = attempt_name(task.id, task.attempt)
        lacking = [] if wrong else await asyncio.to_thread(missing, files, attempt, request.outcome)
        if not wrong and not lacking:
            return request
        log.warning("report.refused", task_id=task.id, node_id=node.id, wrong=wrong[:5], lacking=lacking[:5])
        message = "the node reported results that it had not delivered"
        failure = Failure(cause=Cause.NODE, code=FailureCode.NODE_FAULT, message=message)
        return request.model_copy(update={"outcome": Failed(failure=failure)})

    async def _publish(self, task_id: TaskId) -> None:
        task = await self._store.read(ending.task(task_id))
        if task.state is not TaskState.PUBLISHING or task.report is None:
            return
        files = JobFiles.model_validate_json(task.files)
        work = planned(await self._store.read(dispatch.work(task.id)))
        attempt = attempt_name(task.id, task.attempt)
        finished = Finished.model_validate_json(task.report)
        settled = await asyncio.to_thread(_settled, files, attempt, work, finished)
        now = self._clock.now_ms()
        if isinstance(settled, Failure):
            await self._store.write(ending.unpublished(task.id, settled, now))
        else:
            await self._store.write(ending.published(task.id, settled, now))
        await asyncio.to_thread(files.staging.discard, attempt)
        self._dispatcher.forget_progress(task.job_id)
        log.info("job.published", job_id=task.job_id, task_id=task.id)
        self._signals.changed(task.job_id)
        self._dispatcher.wake()  # its tenant may run another

    async def _forget(self, task: Task, request: ReportRequest) -> None:
        self._dispatcher.forget_progress(task.job_id)
        staging = JobFiles.model_validate_json(task.files).staging
        await asyncio.to_thread(staging.discard, attempt_name(request.ref.task_id, request.ref.attempt))


def _settled(files: JobFiles, attempt: str, work: TranscodeFile, finished: Finished) -> Finished | Failure:
    """What became visible, or why nothing more can. Raises StorageFull and OSError: then it can be tried again."""
    try:
        try:
            return make_visible(files, attempt, work, finished)
        except AlreadyExists:  # an object came in between: now it is seen, and fails only its output
            return make_visible(files, attempt, work, finished)
    except StorageFull:
        raise
    except TranscoderError as error:
        code = FailureCode.OUTPUT_EXISTS if isinstance(error, AlreadyExists) else FailureCode.STORAGE_ERROR
        return Failure(cause=Cause.UNKNOWN, code=code, message=f"The results cannot be published: {error.detail}"[:255])
