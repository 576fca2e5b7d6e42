"""Takes reports, and makes results visible: once each, whatever crashes in between."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from controlplane import metrics
from controlplane.domain.results import misfits
from controlplane.services.dispatch import Dispatcher
from controlplane.services.faulty import FaultyInputs
from controlplane.services.files import JobFiles, attempt_name, make_visible, missing
from controlplane.services.presets import UNREADABLE, UNREADABLE_JOB, planned
from controlplane.services.signals import Signals
from controlplane.settings import Settings
from controlplane.storage.files import FileBucket
from controlplane.storage.hands import Hands
from controlplane.store.operations import dispatch, ending, quotas, resources, results
from controlplane.store.port import Store
from controlplane.store.records import Node, Task
from shared.clock import Clock
from shared.errors import AlreadyExists, StaleLease, StorageFull, TranscoderError, Unavailable
from shared.failures import Cause, Failure, FailureCode
from shared.ids import TaskId
from shared.protocol import Failed, Finished, ReportAnswer, ReportRequest, TranscodeFile
from shared.statuses import TaskState

log = structlog.get_logger()

AT_ONCE: Final = 16
"""To one storage: each waits for its disk most of the time, and a disk takes many together."""
RETRY_SECONDS: Final = 5.0
"""Results wait this long for a disk or a database that refused them."""
PUBLISH_SECONDS: Final = 120.0
"""A storage that has not made one job's results visible by then hangs: they are tried again."""
LOOK_SECONDS: Final = 10.0
"""The same, for looking at what is staged, and for removing it."""

UNPUBLISHABLE: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.STORAGE_ERROR,
    message="The results could not be made visible: their storage refused them for too long.",
)


@dataclass
class _Line:
    """What waits for one storage, and how many are at work on it."""

    waiting: deque[TaskId] = field(default_factory=deque)
    workers: int = 0


class Publisher:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signals: Signals,
        dispatcher: Dispatcher,
        faulty: FaultyInputs,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._dispatcher = dispatcher
        self._faulty = faulty
        self._settings = settings
        self._queue: deque[TaskId] = deque()
        self._reported = asyncio.Event()
        self._lines: dict[str, _Line] = {}
        self._hands = Hands()

    async def report(self, node: Node, request: ReportRequest) -> ReportAnswer:
        """How an attempt ended. Raises StaleLease when it is not the live one.

        A report of objects that are not there, or that were never asked for, counts as the node's failure.
        """
        checked = await self._checked(node, request)
        now, rules = self._clock.now_ms(), self._settings.rules
        if isinstance(checked.outcome, Finished):
            finish = results.Finish(checked, checked.outcome, node.id, now, rules)
            reported = await self._store.write_together(results.finish, finish)
        else:
            reported = await self._store.write(ending.report(checked, node.id, now, sent=request, rules=rules))
        task = reported.task
        if not reported.repeated:
            if isinstance(checked.outcome, Failed):
                metrics.FAILURES.labels(checked.outcome.failure.cause, checked.outcome.failure.code).inc()
                self._faulty.failed(JobFiles.model_validate_json(task.files), checked.outcome.failure)
            log.info(
                "attempt.reported", task_id=task.id, attempt=request.ref.attempt, node_id=node.id, state=task.state
            )
            self._signals.changed(task.job_id)
            self._dispatcher.wake()
            if task.state is TaskState.PUBLISHING:
                self._put(task.id)
            else:
                await self._forget(task, request)
        return ReportAnswer(task_state=task.state)

    async def discard(self, lost: list[dispatch.Lost]) -> None:
        """Removes what attempts that came to nothing left in staging."""
        for ended in lost:
            self._dispatcher.forget_progress(ended.job_id)
            self._signals.changed(ended.job_id)
            if ended.failure is not None:
                self._faulty.failed(JobFiles.model_validate_json(ended.files), ended.failure)
        await asyncio.gather(
            *(
                self._discard(JobFiles.model_validate_json(ended.files), attempt_name(ended.task_id, ended.attempt))
                for ended in lost
            )
        )

    async def sweep(self, keep_uploads: float) -> int:
        """Removes what nobody will ever publish: a process was killed before it could, or a node sent too late.

        And uploads that nobody has added to for this many seconds. How many there were of both.
        """
        removed = 0
        for bucket in await self._store.read(resources.all_buckets()):
            try:
                removed += await self._sweep_bucket(FileBucket(Path(bucket.root)), keep_uploads)
            except Unavailable as error:
                log.warning("bucket.not_swept", root=bucket.root, error=str(error))
        before = self._clock.now_ms() - int(keep_uploads * 1000)
        await self._store.write(quotas.forget_uploads(before))
        return removed

    async def _sweep_bucket(self, files: FileBucket, keep_uploads: float) -> int:
        do = partial(self._hands.do, str(files.root), within=LOOK_SECONDS)
        staged = await do(files.staged_attempts)  # first: what is granted since is none of these
        live = {attempt_name(*attempt) for attempt in await self._store.read(ending.live_attempts())}
        abandoned = set(staged) - live
        for attempt in abandoned:
            await do(partial(files.discard, attempt))
        oldest = self._clock.now_ms() / 1000 - keep_uploads
        return len(abandoned) + int(await do(partial(files.forget_uploads, oldest)))

    async def run(self) -> None:
        """Publishes what is reported, after what an earlier process left unfinished.

        Each storage has its own line: one that is slow, or broken, holds up nobody else's results.
        """
        self._queue = deque(await self._store.read(ending.to_publish())) + self._queue
        self._reported.set()
        try:
            async with asyncio.TaskGroup() as lines:
                while True:
                    await self._reported.wait()
                    self._reported.clear()
                    while self._queue:
                        await self._line_up(self._queue.popleft(), lines)
        finally:
            self._hands.close()

    def _put(self, task_id: TaskId) -> None:
        self._queue.append(task_id)
        self._reported.set()

    def _put_later(self, task_id: TaskId) -> None:
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._put, task_id)

    async def _line_up(self, task_id: TaskId, lines: asyncio.TaskGroup) -> None:
        try:
            task = await self._store.read(ending.task(task_id))
        except Unavailable as error:
            log.error("publish.delayed", task_id=task_id, error=str(error))
            self._put_later(task_id)
            return
        root = JobFiles.model_validate_json(task.files).output_root
        line = self._lines.setdefault(root, _Line())
        line.waiting.append(task_id)
        if line.workers < AT_ONCE:
            line.workers += 1
            lines.create_task(self._serve(root, line), name=f"publishing to {root}")

    async def _serve(self, root: str, line: _Line) -> None:
        """One result of this storage after the other, until there are no more."""
        while line.waiting:
            task_id = line.waiting.popleft()
            try:
                await self._publish(task_id)
            except UNREADABLE as error:
                log.error("publish.unreadable", task_id=task_id, error=str(error))
                await self._give_up(task_id, UNREADABLE_JOB)
            except (OSError, Unavailable, StorageFull) as error:
                log.error("publish.delayed", task_id=task_id, error=str(error))
                await self._try_again(task_id)
        line.workers -= 1
        if not line.workers:
            del self._lines[root]

    async def _try_again(self, task_id: TaskId) -> None:
        """Later, unless it has been tried for long enough."""
        try:
            task = await self._store.read(ending.task(task_id))
        except Unavailable:
            self._put_later(task_id)
            return
        if task.publish_by is not None and self._clock.now_ms() >= task.publish_by:
            await self._give_up(task_id, UNPUBLISHABLE)
        else:
            self._put_later(task_id)

    async def _give_up(self, task_id: TaskId, failure: Failure) -> None:
        try:
            await self._store.write(ending.give_up(task_id, failure, self._clock.now_ms()))
            task = await self._store.read(ending.task(task_id))
        except (Unavailable, StorageFull) as error:
            log.error("publish.delayed", task_id=task_id, error=str(error))
            self._put_later(task_id)
            return
        log.error("publish.given_up", task_id=task_id, job_id=task.job_id, code=failure.code)
        self._dispatcher.forget_progress(task.job_id)
        self._signals.changed(task.job_id)
        self._dispatcher.wake()

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
        look = partial(missing, files, attempt, request.outcome)
        lacking = [] if wrong else await self._hands.do(files.output_root, look, within=LOOK_SECONDS)
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
        settled = await self._made_visible(files, attempt, work, finished)
        now = self._clock.now_ms()
        if isinstance(settled, Failure):
            await self._store.write(ending.unpublished(task.id, settled, now))
        else:
            published = results.Published(task, settled, now)
            learn = partial(self._faulty.finished, files, settled)
            await self._store.write_together(results.published, published, then=lambda _: learn())
        await self._discard(files, attempt)
        self._dispatcher.forget_progress(task.job_id)
        log.info("job.published", job_id=task.job_id, task_id=task.id)
        self._signals.changed(task.job_id)
        self._dispatcher.wake()  # its tenant may run another

    async def _forget(self, task: Task, request: ReportRequest) -> None:
        self._dispatcher.forget_progress(task.job_id)
        await self._discard(
            JobFiles.model_validate_json(task.files), attempt_name(request.ref.task_id, request.ref.attempt)
        )

    async def _made_visible(
        self, files: JobFiles, attempt: str, work: TranscodeFile, finished: Finished
    ) -> Finished | Failure:
        """What hangs goes on in its thread; it makes nothing more visible once nobody waits for it."""
        is_abandoned = threading.Event()
        try:
            settle = partial(_settled, files, attempt, work, finished, is_abandoned)
            return await self._hands.do(files.output_root, settle, within=PUBLISH_SECONDS)
        finally:
            is_abandoned.set()

    async def _discard(self, files: JobFiles, attempt: str) -> None:
        """What cannot be removed now, the sweeper finds."""
        try:
            await self._hands.do(files.output_root, partial(files.staging.discard, attempt), within=LOOK_SECONDS)
        except Unavailable as error:
            log.warning("staging.left", attempt=attempt, error=str(error))


def _settled(
    files: JobFiles, attempt: str, work: TranscodeFile, finished: Finished, is_abandoned: threading.Event
) -> Finished | Failure:
    """What became visible, or why nothing more can. Raises StorageFull and OSError: then it can be tried again."""
    try:
        try:
            return make_visible(files, attempt, work, finished, is_abandoned)
        except AlreadyExists:  # an object came in between: now it is seen, and fails only its output
            return make_visible(files, attempt, work, finished, is_abandoned)
    except StorageFull:
        raise
    except TranscoderError as error:
        code = FailureCode.OUTPUT_EXISTS if isinstance(error, AlreadyExists) else FailureCode.STORAGE_ERROR
        return Failure(cause=Cause.UNKNOWN, code=code, message=f"The results cannot be published: {error.detail}"[:255])
