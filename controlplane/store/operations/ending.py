"""How attempts end: reports, retries, publication."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import orjson

from controlplane.domain import retrying
from controlplane.domain.lifecycle import LEASED_TASKS, TaskEvent, task_sources
from controlplane.domain.notifications import Happening, hears
from controlplane.domain.retrying import Retry, Rules, Tally
from controlplane.domain.usage import FAILED, Made, size_of, spent_on
from controlplane.store.operations import attempts, jobs, outbox, quotas, trust
from controlplane.store.operations.jobs import Created, NewJob
from controlplane.store.operations.outbox import Told
from controlplane.store.port import Call, Op, call
from controlplane.store.records import Task, record
from shared.errors import StaleLease
from shared.failures import Cause, Failure
from shared.ids import Attempt, NodeId, TaskId
from shared.protocol import AttemptRef, Failed, Finished, HandedBack, ReportRequest, Stopped
from shared.statuses import JobStatus, TaskState

RULES: Final = Rules()
NOWHERE: Final = "[]"
"""No nodes, as a task keeps them."""


@dataclass(frozen=True)
class Reported:
    """What a report changed: the task as it stands now, and whether this very report had been taken before."""

    task: Task
    repeated: bool


def report(
    request: ReportRequest, node_id: NodeId, now: int, *, sent: ReportRequest | None = None, rules: Rules = RULES
) -> Op[Reported]:
    """Takes the end of an attempt, once. Raises StaleLease for any lease but the live one.

    `sent` is what the node said, where it is not taken at its word.
    """
    ref, digest = request.ref, digest_of(sent or request)
    rows = yield call("task", id=ref.task_id)
    if not rows:
        raise StaleLease("There is no such task.")
    task = record(Task, rows[0])
    if task.ended_lease == ref.lease_id and task.ended_report == digest:
        return Reported(task, repeated=True)
    if not is_live(task, ref, node_id):
        raise StaleLease("This lease has ended.")
    if isinstance(request.outcome, Finished) and task.state is TaskState.LEASED:
        raise StaleLease("This lease was never accepted.")
    yield from attempts.note(rows[0], request.events, now)
    if request.log is not None:
        yield Call("keep_log", attempts.tail_of(rows[0], request.log, now))
    yield from _end(task, request, digest, now, rules)
    (row,) = yield call("task", id=ref.task_id)
    return Reported(record(Task, row), repeated=False)


def is_live(task: Task, ref: AttemptRef, node_id: NodeId) -> bool:
    """Whether the task stands under this lease, of this node."""
    names_it = task.lease_id == ref.lease_id and task.attempt == ref.attempt and task.node_id == node_id
    return names_it and task.state in LEASED_TASKS and task.ended_lease != ref.lease_id


def unpublished(task_id: TaskId, failure: Failure, now: int, visible: int = 0) -> Op[None]:
    """The results can never become visible, but for so many bytes: the job fails."""
    (row,) = yield call("task", id=task_id)
    task = record(Task, row)
    if task.state is TaskState.PUBLISHING:
        made = replace(FAILED, bytes_out=visible)
        yield from fail(task, now, failure, report=task.ended_report, made=made)


def task(task_id: TaskId) -> Op[Task]:
    (row,) = yield call("task", id=task_id)
    return record(Task, row)


def give_up(task_id: TaskId, failure: Failure, now: int) -> Op[None]:
    """Ends a task that nobody can work on. One that has ended meanwhile is left alone."""
    (row,) = yield call("task", id=task_id)
    unfit = record(Task, row)
    if unfit.state in task_sources(TaskEvent.FAIL):
        yield from fail(unfit, now, failure, report=None)


def create_failed(new: NewJob, failure: Failure, now: int) -> Op[Created]:
    """A job that need not be tried."""
    created = yield from jobs.create(new, now)
    if created.replayed:
        return created
    yield from give_up(new.task_id, failure, now)
    return Created((yield from jobs.read(new.tenant_id, new.id)), replayed=False)


def holder(task: Task) -> NodeId:
    """The node of a task that is leased."""
    if task.node_id is None:
        raise StaleLease("No node holds this task.")
    return task.node_id


def to_publish() -> Op[list[TaskId]]:
    rows = yield call("publishing")
    return [TaskId(row["id"]) for row in rows]


def live_attempts() -> Op[set[tuple[TaskId, Attempt]]]:
    """Those that may still have files in staging."""
    rows = yield call("live_attempts")
    return {(TaskId(row["id"]), Attempt(row["attempt"])) for row in rows}


def tally_of(task: Task) -> Tally:
    return Tally(
        allowed=task.max_attempts,
        spent=task.spent,
        node_faults=task.node_faults,
        failed_on=nodes_in(task.failed_on),
        killed_on=nodes_in(task.killed_on),
    )


def nodes_in(text: str) -> tuple[NodeId, ...]:
    """As a task keeps them."""
    return () if text == NOWHERE else tuple(orjson.loads(text))


def settle(
    task: Task, verdict: Retry | Failure, now: int, *, reason: str, report: str | None, failed: Failed | None = None
) -> Op[None]:
    """An attempt came to nothing: the task waits again, or has failed."""
    if isinstance(verdict, Retry):
        yield from requeue(task, now, retry=verdict, reason=reason, report=report)
        yield from outbox.tell(
            [Told(task.job_id, Happening.WARNING, now, {"attempt": task.attempt, "message": reason})]
        )
    else:
        made = spent_on(failed) if failed else FAILED
        yield from fail(task, now, verdict, report=report, result=_failed(verdict, failed), made=made)


def requeue(task: Task, now: int, *, retry: Retry, reason: str, report: str | None) -> Op[None]:
    tally = retry.tally
    yield call(
        "requeue",
        id=task.id,
        not_before=now + retry.delay_ms,
        spent=tally.spent,
        node_faults=tally.node_faults,
        failed_on=orjson.dumps(tally.failed_on).decode(),
        killed_on=orjson.dumps(tally.killed_on).decode(),
        report=report,
    )
    is_paid_for = tally.spent >= task.spent + (task.state is TaskState.LEASED)  # by the job, as one of its attempts
    yield from jobs.rejoin(task, now, has_failed=is_paid_for)
    told = {"attempt": task.attempt, "node_id": task.node_id, "reason": reason, "is_suspect": tally.is_suspect}
    yield jobs.event(task.tenant_id, task.job_id, "requeued", now, orjson.dumps(told).decode())


def fail(
    task: Task,
    now: int,
    failure: Failure,
    *,
    report: str | None,
    result: str | None = None,
    made: Made = FAILED,
) -> Op[None]:
    yield call("fail_task", id=task.id, report=report)
    yield from jobs.leave(task, now, made)
    ended = yield call(
        "end_job",
        id=task.job_id,
        status=JobStatus.ERROR,
        result=result or _failed(failure),
        now=now,
        heard=hears(Happening.ERROR),
    )
    yield jobs.event(task.tenant_id, task.job_id, "error", now, failure.model_dump_json())
    yield from outbox.tell_if(ended, Told(task.job_id, Happening.ERROR, now))


def _end(task: Task, request: ReportRequest, digest: str, now: int, rules: Rules) -> Op[None]:
    if task.state is TaskState.STOPPING:
        yield from _stopped(task, digest, now)
        return
    match request.outcome:
        case Finished() as finished:
            yield from _finish(task, finished, digest, now, rules)
            yield from trust.success(holder(task), now)
        case Failed() as failed:
            spent = task.spent + (task.state is TaskState.LEASED)  # else what fails before it is accepted never ends
            node_id, failure = holder(task), failed.failure
            if failure.cause is Cause.NODE:
                yield from trust.fault(node_id, now, rules.breaker, {"job_id": task.job_id, "message": failure.message})
            verdict = retrying.after_failure(failure, replace(tally_of(task), spent=spent), node_id, rules)
            yield from settle(task, verdict, now, reason=failure.message, report=digest, failed=failed)
        case Stopped() | HandedBack() as back:
            reason = back.reason if isinstance(back, HandedBack) else "the agent stopped it"
            unspent = task.spent - (task.state is TaskState.RUNNING)
            retry = Retry(0, replace(tally_of(task), spent=unspent))
            yield from requeue(task, now, retry=retry, reason=reason, report=digest)


def _finish(task: Task, finished: Finished, digest: str, now: int, rules: Rules) -> Op[None]:
    """The results may become visible, if their tenant may store so much."""
    stored_bytes = size_of(finished)
    refusal = yield from quotas.reserve_bytes(task, stored_bytes)
    if refusal is not None:
        yield from fail(task, now, refusal, report=digest, made=spent_on(finished))
        return
    outcome = finished.model_dump_json()
    until = now + rules.publish_within_ms
    yield call("finish", id=task.id, outcome=outcome, report=digest, stored_bytes=stored_bytes, publish_by=until)


def _stopped(task: Task, digest: str, now: int) -> Op[None]:
    """Whatever the attempt came to, it was asked to stop and has: the job is Canceled."""
    yield call("stop_task", id=task.id, report=digest)
    yield from jobs.leave(task, now)
    yield from jobs.stopped(task, now)


def digest_of(request: ReportRequest) -> str:
    return hashlib.sha256(request.model_dump_json().encode()).hexdigest()


def _failed(failure: Failure, report: Failed | None = None) -> str:
    inputs = [found.model_dump(mode="json") for found in report.inputs] if report else []
    return orjson.dumps({"inputs": inputs, "failure": failure.model_dump(mode="json")}).decode()
