"""Good results: reported, then visible. All that come at a time together: every job that goes well takes this way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from controlplane.domain.lifecycle import aggregate
from controlplane.domain.notifications import Happening, hears
from controlplane.domain.quota import Quota
from controlplane.domain.retrying import Rules
from controlplane.domain.usage import made_by, size_of
from controlplane.store.operations import attempts, ending, jobs, outbox, quotas, trust
from controlplane.store.operations.ending import Reported, digest_of
from controlplane.store.operations.outbox import Told
from controlplane.store.port import Calls, Op, Row
from controlplane.store.records import Task, record
from shared.errors import TranscoderError
from shared.ids import NodeId, TenantId
from shared.protocol import Finished, ReportRequest
from shared.statuses import JobStatus, NodeTrust, TaskState


@dataclass(frozen=True)
class Finish:
    """An attempt that ended well, in the words of its node."""

    request: ReportRequest
    outcome: Finished
    node_id: NodeId
    now: int
    rules: Rules


@dataclass(frozen=True)
class Published:
    """What became visible of a task. Nothing about a task changes from the report until it is published."""

    task: Task
    finished: Finished
    now: int


def finish(reports: Sequence[Finish]) -> Op[Sequence[Reported | Exception]]:
    """Together. The plain ones at once; whatever is not, by the way of all reports. StaleLease for what is no live lease."""
    rows = yield Calls("reported", [{"id": report.request.ref.task_id} for report in reports])
    firsts = {row["id"]: row for row in rows}
    taken = [_Taken(report, row, record(Task, row)) for report in reports if (row := _first_of(report, firsts))]
    taken = yield from _affordable([each for each in taken if _is_plain(each)])
    for each in taken:
        yield from attempts.note(each.row, each.report.request.events, each.report.now)
    logged = [(each, each.report.request.log) for each in taken]
    yield Calls("keep_log", [attempts.tail_of(each.row, log, each.report.now) for each, log in logged if log])
    finished = [_finished(each) for each in taken]
    yield Calls("finish", [_ending(task) for task in finished])
    for node_id in {each.report.node_id for each in taken if each.row["trust"] == NodeTrust.ON_TRIAL}:
        yield from trust.success(node_id, taken[0].report.now)
    answers: dict[int, Reported | Exception] = {
        id(each.report): Reported(task, repeated=False) for each, task in zip(taken, finished, strict=True)
    }
    for report in reports:
        if id(report) not in answers:
            answers[id(report)] = yield from _by_itself(report)
    return [answers[id(report)] for report in reports]


def published(results: Sequence[Published]) -> Op[Sequence[None]]:
    """Together: the jobs end. For what has ended already, by another process say, this changes nothing."""
    by_task = {result.task.id: result for result in results}
    rows = yield Calls("publish_task", [{"id": task_id} for task_id in by_task])
    ended = [by_task[row["id"]] for row in rows]
    statuses = [_status(result.finished) for result in ended]
    made = [made_by(result.finished, status) for result, status in zip(ended, statuses, strict=True)]
    if ended:
        yield from jobs.leave_nodes(
            [(result.task, each) for result, each in zip(ended, made, strict=True)], ended[0].now
        )
    yield jobs.events_of(
        jobs.happened(
            result.task.tenant_id,
            result.task.job_id,
            "complete" if status is JobStatus.COMPLETE else "error",
            result.now,
        )
        for result, status in zip(ended, statuses, strict=True)
    )
    ends = yield Calls("end_job", [_end_of(result, status) for result, status in zip(ended, statuses, strict=True)])
    heard = {row["id"] for row in ends if row["is_heard"]}
    yield from outbox.tell(
        [
            Told(result.task.job_id, _told_as(status), result.now)
            for result, status in zip(ended, statuses, strict=True)
            if result.task.job_id in heard
        ]
    )
    return [None] * len(results)


def published_in_groups(groups: Sequence[Sequence[Published]]) -> Op[Sequence[None]]:
    """The same, of all who publish at a time."""
    yield from published([result for group in groups for result in group])
    return [None] * len(groups)


class _Taken(NamedTuple):
    report: Finish
    row: Row
    task: Task


def _first_of(report: Finish, rows: dict[str, Row]) -> Row | None:
    """The row of its task, once: a second report of the same task is looked at when the first has been taken."""
    return rows.pop(report.request.ref.task_id, None)


def _is_plain(each: _Taken) -> bool:
    return each.task.state is TaskState.RUNNING and ending.is_live(
        each.task, each.report.request.ref, each.report.node_id
    )


def _affordable(taken: Sequence[_Taken]) -> Op[list[_Taken]]:
    """Without those of tenants that may not store all of theirs."""
    wanted: Counter[TenantId] = Counter()
    for each in taken:
        wanted[each.task.tenant_id] += size_of(each.report.outcome)
    refused = set()
    for tenant_id, size in wanted.items():
        if not (yield from quotas.is_taken(tenant_id, Quota.STORED_BYTES, size)):
            refused.add(tenant_id)
    return [each for each in taken if each.task.tenant_id not in refused]


def _finished(each: _Taken) -> Task:
    """The task as it stands once its results may become visible."""
    outcome = each.report.outcome
    return replace(
        each.task,
        state=TaskState.PUBLISHING,
        report=outcome.model_dump_json(),
        ended_lease=each.task.lease_id,
        ended_report=digest_of(each.report.request),
        stored_bytes=size_of(outcome),
        publish_by=each.report.now + each.report.rules.publish_within_ms,
    )


def _ending(task: Task) -> dict[str, object]:
    return {
        "id": task.id,
        "outcome": task.report,
        "report": task.ended_report,
        "stored_bytes": task.stored_bytes,
        "publish_by": task.publish_by,
    }


def _by_itself(report: Finish) -> Op[Reported | Exception]:
    try:
        return (yield from ending.report(report.request, report.node_id, report.now, rules=report.rules))
    except TranscoderError as error:
        return error


def _status(finished: Finished) -> JobStatus:
    return aggregate(
        [*(output.status for output in finished.outputs), *(playlist.status for playlist in finished.playlists)]
    )


def _end_of(result: Published, status: JobStatus) -> dict[str, object]:
    """The job answers with everything but the names of files in staging."""
    kept = result.finished.model_dump_json(exclude={"type"})
    return {
        "id": result.task.job_id,
        "status": status,
        "result": kept,
        "now": result.now,
        "heard": hears(_told_as(status)),
    }


def _told_as(status: JobStatus) -> Happening:
    return Happening.COMPLETED if status is JobStatus.COMPLETE else Happening.ERROR
