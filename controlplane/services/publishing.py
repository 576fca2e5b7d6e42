"""Takes reports, and makes results visible: once each, whatever crashes in between."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from controlplane import metrics
from controlplane.domain.results import misfits
from controlplane.services import settling
from controlplane.services.dispatch import Dispatcher
from controlplane.services.faulty import FaultyInputs
from controlplane.services.files import JobFiles, attempt_name, missing, visible_size
from controlplane.services.leases import Leases
from controlplane.services.lines import Lines
from controlplane.services.payloads import Payloads
from controlplane.services.presets import UNREADABLE, UNREADABLE_JOB
from controlplane.services.settling import Results, Settled
from controlplane.services.signals import Signals
from controlplane.settings import Settings
from controlplane.storage.files import FileBucket
from controlplane.storage.hands import Hands
from controlplane.store.operations import dispatch, ending, quotas, resources, results
from controlplane.store.port import Op, Store
from controlplane.store.records import Node, Task
from shared.clock import Clock
from shared.errors import StorageFull, Unavailable
from shared.failures import Cause, Failure, FailureCode
from shared.ids import TaskId
from shared.protocol import Failed, Finished, ReportAnswer, ReportRequest
from shared.statuses import TaskState

log = structlog.get_logger()

DAY_MS: Final = 86_400_000
"""What is under way into a forgotten bucket has come to its end by then."""
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


class Publisher:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signals: Signals,
        dispatcher: Dispatcher,
        leases: Leases,
        payloads: Payloads,
        faulty: FaultyInputs,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._dispatcher = dispatcher
        self._leases = leases
        self._payloads = payloads
        self._faulty = faulty
        self._settings = settings
        self._queue: deque[TaskId | Results] = deque()
        self._reported = asyncio.Event()
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
            self._leases.forget(request.ref)
            if task.state is TaskState.PUBLISHING and isinstance(checked.outcome, Finished):
                self._put(Results(task, await self._payloads.of(task.id), checked.outcome))
            else:
                await self._forget(task, request)
        return ReportAnswer(task_state=task.state)

    async def discard(self, lost: list[dispatch.Lost]) -> None:
        """Removes what attempts that came to nothing left in staging."""
        for ended in lost:
            self._leases.forget_progress(ended.job_id)
            self._signals.changed(ended.job_id)
            if ended.failure is not None:
                self._faulty.failed(JobFiles.model_validate_json(ended.files), ended.failure)
        staged: dict[str, list[str]] = defaultdict(list)
        for ended in lost:
            root = JobFiles.model_validate_json(ended.files).output_root
            staged[root].append(attempt_name(ended.task_id, ended.attempt))
        await asyncio.gather(*(self._discard(root, attempts) for root, attempts in staged.items()))

    async def sweep(self, keep_uploads: float) -> int:
        """Removes what nobody will ever publish: a process was killed before it could, or a node sent too late.

        And uploads that nobody has added to for this many seconds. How many there were of both.
        """
        removed = 0
        buckets = await self._store.read(resources.all_buckets())
        forgotten = await self._store.read(resources.forgotten_roots())
        for root in dict.fromkeys([*(bucket.root for bucket in buckets), *forgotten]):
            try:
                removed += await self._sweep_bucket(FileBucket(Path(root)), keep_uploads)
            except Unavailable as error:
                log.warning("bucket.not_swept", root=root, error=str(error))
        before = self._clock.now_ms() - int(keep_uploads * 1000)
        await self._store.write(quotas.forget_uploads(before))
        await self._store.write(resources.sweep_forgotten_roots(before - DAY_MS))
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
        """Publishes what is reported, after what an earlier process left unfinished."""
        self._queue.extendleft(reversed(await self._store.read(ending.to_publish())))
        self._reported.set()
        try:
            async with asyncio.TaskGroup() as group:
                lines = Lines(group, self._publish)
                try:
                    await self._line_up(lines)
                finally:
                    lines.close()
        finally:
            self._hands.close()

    async def _line_up(self, lines: Lines) -> None:
        while True:
            await self._reported.wait()
            self._reported.clear()
            while self._queue:
                next_one = self._queue.popleft()
                results = next_one if isinstance(next_one, Results) else await self._found(next_one)
                if results is not None:
                    lines.put(results)

    def _put(self, results: TaskId | Results) -> None:
        self._queue.append(results)
        self._reported.set()

    def _put_later(self, task_id: TaskId) -> None:
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._put, task_id)

    async def _found(self, task_id: TaskId) -> Results | None:
        """What an earlier process left, or what could not be published before. None when that was done since."""
        try:
            task = await self._store.read(ending.task(task_id))
            if task.state is not TaskState.PUBLISHING or task.report is None:
                return None
            payload = await self._payloads.of(task_id)
            _ = payload.work, payload.files
            return Results(task, payload, Finished.model_validate_json(task.report))
        except UNREADABLE as error:
            log.error("publish.unreadable", task_id=task_id, error=str(error))
            await self._give_up(task_id, UNREADABLE_JOB)
        except Unavailable as error:
            log.error("publish.delayed", task_id=task_id, error=str(error))
            self._put_later(task_id)
        return None

    async def _publish(self, root: str, batch: Sequence[Results]) -> None:
        """All in one go; what goes wrong with one of them is its own trouble."""
        done = []
        visible: list[tuple[Results, Finished]] = []
        for found, settled in zip(batch, await self._made_visible(root, batch), strict=True):
            if isinstance(settled, Finished):
                visible.append((found, settled))
            elif isinstance(settled, Failure):
                if await self._is_written(found, await self._unpublished(found, settled)):
                    done.append(found)
            else:
                await self._delay(found, settled)
        done += await self._end(visible)
        await self._discard(root, [found.attempt for found in done])
        for found in done:
            self._payloads.forget(found.task.id)
            self._leases.forget_progress(found.task.job_id)
            log.info("job.published", job_id=found.task.job_id, task_id=found.task.id)
            self._signals.changed(found.task.job_id)
        self._dispatcher.wake()  # their tenants may run others

    async def _end(self, visible: Sequence[tuple[Results, Finished]]) -> list[Results]:
        """Ends the jobs whose results are visible now: together, or one by one where that is refused. Those that have."""
        if not visible:
            return []
        now = self._clock.now_ms()
        published = [results.Published(found.task, settled, now) for found, settled in visible]
        try:
            await self._store.write_together(
                results.published_in_groups, published, then=lambda _: self._learn(visible)
            )
        except (Unavailable, StorageFull) as error:
            if len(visible) > 1:
                return [ended for one in visible for ended in await self._end([one])]
            await self._delay(visible[0][0], error)
            return []
        return [found for found, _ in visible]

    def _learn(self, visible: Sequence[tuple[Results, Finished]]) -> None:
        for found, settled in visible:
            self._faulty.finished(found.payload.files, settled)

    async def _is_written(self, found: Results, operation: Op[None]) -> bool:
        try:
            await self._store.write(operation)
        except (Unavailable, StorageFull) as error:
            await self._delay(found, error)
            return False
        return True

    async def _delay(self, found: Results, error: Exception) -> None:
        log.error("publish.delayed", task_id=found.task.id, error=str(error))
        await self._try_again(found.task.id)

    async def _try_again(self, task_id: TaskId) -> None:
        """Later, unless it has been tried for long enough."""
        try:
            task = await self._store.read(ending.task(task_id))
        except Unavailable:
            self._put_later(task_id)
            return
        if task.publish_by is None or self._clock.now_ms() < task.publish_by:
            self._put_later(task_id)
            return
        found = await self._found(task_id)
        if found is not None and await self._is_ended(task_id, await self._unpublished(found, UNPUBLISHABLE)):
            self._told_of(task, UNPUBLISHABLE)

    async def _unpublished(self, found: Results, failure: Failure) -> Op[None]:
        """What became visible before the rest could not counts as stored, as far as the storage still tells."""
        files = found.payload.files
        look = partial(visible_size, files, found.attempt, found.finished)
        visible = 0
        with contextlib.suppress(Unavailable, OSError):
            visible = await self._hands.do(files.output_root, look, within=LOOK_SECONDS)
        return ending.unpublished(found.task.id, failure, self._clock.now_ms(), visible)

    async def _give_up(self, task_id: TaskId, failure: Failure) -> None:
        if await self._is_ended(task_id, ending.give_up(task_id, failure, self._clock.now_ms())):
            self._told_of(await self._store.read(ending.task(task_id)), failure)

    async def _is_ended(self, task_id: TaskId, operation: Op[None]) -> bool:
        try:
            await self._store.write(operation)
        except (Unavailable, StorageFull) as error:
            log.error("publish.delayed", task_id=task_id, error=str(error))
            self._put_later(task_id)
            return False
        return True

    def _told_of(self, task: Task, failure: Failure) -> None:
        log.error("publish.given_up", task_id=task.id, job_id=task.job_id, code=failure.code)
        self._leases.forget_progress(task.job_id)
        self._signals.changed(task.job_id)
        self._dispatcher.wake()

    async def _checked(self, node: Node, request: ReportRequest) -> ReportRequest:
        if not isinstance(request.outcome, Finished):
            return request
        if not await self._leases.is_live(request.ref, node.id):
            return request  # a repeated report, or a stale one: the store tells
        payload = await self._payloads.of(request.ref.task_id)
        wrong = misfits(payload.work, request.outcome)
        attempt = attempt_name(request.ref.task_id, request.ref.attempt)
        look = partial(missing, payload.files, attempt, request.outcome)
        lacking = [] if wrong else await self._hands.do_together(payload.files.output_root, look, within=LOOK_SECONDS)
        if not wrong and not lacking:
            return request
        log.warning(
            "report.refused", task_id=request.ref.task_id, node_id=node.id, wrong=wrong[:5], lacking=lacking[:5]
        )
        message = "the node reported results that it had not delivered"
        failure = Failure(cause=Cause.NODE, code=FailureCode.NODE_FAULT, message=message)
        return request.model_copy(update={"outcome": Failed(failure=failure)})

    async def _forget(self, task: Task, request: ReportRequest) -> None:
        self._payloads.forget(task.id)
        self._leases.forget_progress(task.job_id)
        root = JobFiles.model_validate_json(task.files).output_root
        await self._discard(root, [attempt_name(request.ref.task_id, request.ref.attempt)])

    async def _made_visible(self, root: str, batch: Sequence[Results]) -> Sequence[Settled]:
        """What became of each. What hangs goes on in its thread; it makes nothing more visible once nobody waits for it."""
        is_abandoned = threading.Event()
        try:
            return await self._hands.do(
                root, partial(settling.settled_each, batch, is_abandoned), within=PUBLISH_SECONDS
            )
        except Unavailable as error:
            return [error] * len(batch)
        finally:
            is_abandoned.set()

    async def _discard(self, root: str, attempts: Sequence[str]) -> None:
        """What cannot be removed now, the sweeper finds."""
        if not attempts:
            return
        try:
            await self._hands.do(root, partial(FileBucket(Path(root)).discard_all, attempts), within=LOOK_SECONDS)
        except Unavailable as error:
            log.warning("staging.left", attempts=attempts, error=str(error))
