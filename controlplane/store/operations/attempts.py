"""What attempts tell of themselves besides their progress: events for the job's history, and the end of their log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from controlplane.store.operations import jobs
from controlplane.store.port import Call, Op, Row, call
from controlplane.store.records import AttemptLog, record
from shared.errors import StaleLease
from shared.ids import JobId, NodeId
from shared.protocol import AttemptEvent, AttemptRef, LogTail

MOST_LOGS = 20
"""Of one job: those of its last attempts."""


def note(task: Row, events: Sequence[AttemptEvent], now: int) -> Op[None]:
    """Adds to the history what is not in it yet. An attempt tells all of its events every time, so none is lost or doubled.

    `task` is a row with `id`, `job_id`, `tenant_id`, `attempt`, `node_id` and `noted`.
    """
    new = events[task["noted"] :]
    if not new:
        return
    for event in new:
        data = {"attempt": task["attempt"], "node_id": task["node_id"], **_told(event)}
        yield jobs.event(task["tenant_id"], task["job_id"], event.type, now, orjson.dumps(data).decode())
    yield call("note_events", id=task["id"], noted=len(events))


def note_of(ref: AttemptRef, node_id: NodeId, events: Sequence[AttemptEvent], now: int) -> Op[JobId]:
    """The same, between beats. Raises StaleLease."""
    task = yield from _live(ref, node_id)
    yield from note(task, events, now)
    return JobId(task["job_id"])


def keep_log_of(ref: AttemptRef, node_id: NodeId, log: LogTail, now: int) -> Op[JobId]:
    """Of a live attempt. Raises StaleLease."""
    task = yield from _live(ref, node_id)
    yield Call("keep_log", tail_of(task, log, now))
    return JobId(task["job_id"])


def tail_of(task: Row, log: LogTail, now: int) -> Mapping[str, Any]:
    """As it is kept; one that comes late changes nothing. `task` is a row with `id`, `job_id`, `attempt` and `node_id`."""
    return {
        "task_id": task["id"],
        "attempt": task["attempt"],
        "job_id": task["job_id"],
        "node_id": task["node_id"],
        "said": log.said,
        "text": log.text,
        "now": now,
    }


def logs(job_id: JobId) -> Op[list[AttemptLog]]:
    """Of a job that the caller has been shown to own; the first attempt first."""
    rows = yield call("logs", job_id=job_id, size=MOST_LOGS)
    return [record(AttemptLog, row) for row in reversed(rows)]


def _live(ref: AttemptRef, node_id: NodeId) -> Op[Row]:
    key = {"id": ref.task_id, "attempt": ref.attempt, "lease_id": ref.lease_id, "node_id": node_id}
    if not (yield call("live_lease", **key)):
        raise StaleLease("This lease has ended.")
    (row,) = yield call("task", id=ref.task_id)
    return row


def _told(event: AttemptEvent) -> dict[str, Any]:
    """Outputs by the ids under which tenants know them."""
    told = event.model_dump(mode="json", exclude={"type"})
    return {**told, "outputs": [str(index + 1) for index in event.outputs]}
