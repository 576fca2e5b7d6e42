"""Jobs as tenants see them: created once, read, listed, cancelled, stopped, started."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from controlplane.domain import fairness
from controlplane.domain.lifecycle import TERMINAL_JOBS
from controlplane.domain.notifications import Happening, hears
from controlplane.domain.usage import CANCELED, Made
from controlplane.store.operations import outbox, quotas, tokens
from controlplane.store.operations.outbox import Told
from controlplane.store.operations.quotas import Queued
from controlplane.store.operations.tokens import Token, a_claim
from controlplane.store.port import Call, Calls, Op, Row, alone, call
from controlplane.store.records import Event, Job, Task, record, the_one
from controlplane.store.sql import filter_name
from shared.capacity import Demand
from shared.errors import TranscoderError, WrongState
from shared.ids import Attempt, ClusterId, JobId, NodeId, PipelineId, TaskId, TenantId, UserId
from shared.statuses import JobStatus, TaskState

FIRST_ID = ""
LAST_ID = "~"  # sorts after every id
ROOM: Final = 1024 * 1024
"""Characters of documents and results on one page, but for its last job: everybody waits while it is made."""


class Page(NamedTuple):
    """Jobs, and the one after which to look on; None at the end of the list."""

    jobs: list[Job]
    onward: JobId | None


@dataclass(frozen=True)
class NewJob:
    """A job and its task. `document`, `need`, `presets` and `files` are JSON texts."""

    id: JobId
    tenant_id: TenantId
    user_id: UserId
    pipeline_id: PipelineId
    cluster_id: ClusterId | None
    document: str
    outputs: int
    priority: int
    held: bool
    need: str
    presets: str
    files: str
    max_attempts: int
    token: Token | None
    retry_of: JobId | None = None
    pipeline_version: int | None = None
    """The one that `files` were taken from; None: whichever there is."""

    @property
    def task_id(self) -> TaskId:
        return TaskId(f"{self.id}-0")

    @property
    def task_state(self) -> TaskState:
        return TaskState.HELD if self.held else TaskState.WAITING


@dataclass(frozen=True)
class Created:
    job: Job
    replayed: bool


@dataclass(frozen=True)
class Ended:
    """What a cancel or a stop did: the job as it is now, and the node that must be told."""

    job: Job
    node_id: NodeId | None = None


def create(new: NewJob, now: int) -> Op[Created]:
    """The job, its task and its token, or what the same token made before.

    Raises IdempotencyMismatch when the token stood for another request, NotFound when the pipeline is gone, Outdated when
    it was changed since the job was understood, and TooManyQueued or QuotaExceeded; a token whose request was refused
    stays unused.
    """
    return (yield from alone(create_together, (new, now)))


def create_together(asked: Sequence[tuple[NewJob, int]]) -> Op[list[Created | Exception]]:
    """Many jobs, each with its time: those of one line are counted at once, and all are written in a row."""
    claims = {new.id: a_claim(new.tenant_id, new.token, new.id, now) for new, now in asked if new.token is not None}
    owners: dict[JobId, str | Exception] = {}
    if claims:
        owners = dict(zip(claims, (yield from tokens.claim(list(claims.values()))), strict=True))
    made = yield from _made([(new, now) for new, now in asked if owners.get(new.id, new.id) == new.id])
    refused = [claim for job_id, claim in claims.items() if isinstance(made.get(job_id), Exception)]
    if refused:
        yield tokens.release(refused)
    results: list[Created | Exception] = []
    for new, _ in asked:
        owner = owners.get(new.id, new.id)
        results.append(owner if isinstance(owner, Exception) else (yield from _owned(new, JobId(owner), made)))
    return results


def _owned(new: NewJob, owner: JobId, made: Mapping[JobId, Created | TranscoderError]) -> Op[Created | TranscoderError]:
    """What becomes of a job: it is made, or it is what its token stands for."""
    if owner == new.id:
        return made[owner]
    first = made.get(owner)
    if isinstance(first, TranscoderError):
        return first
    return Created(first.job if first else (yield from read(new.tenant_id, owner)), replayed=True)


def _made(asked: Sequence[tuple[NewJob, int]]) -> Op[dict[JobId, Created | TranscoderError]]:
    """Each of these, or why it is refused."""
    alike: dict[tuple[Any, ...], list[NewJob]] = {}
    for new, _ in asked:
        alike.setdefault((new.user_id, new.pipeline_id, new.pipeline_version, new.tenant_id), []).append(new)
    admitted: dict[JobId, Queued | TranscoderError] = {}
    for group in alike.values():
        admitted |= yield from _admit(group)
    made = [(new, now) for new, now in asked if isinstance(admitted[new.id], Queued)]
    rows = {new.id: _row(new, now) for new, now in made}
    for query in ("insert_job", "insert_task", "note_submitted"):
        yield Calls(query, list(rows.values()))
    lanes = Counter((new.pipeline_id, new.need, new.user_id, new.tenant_id) for new, _ in made if not new.held)
    yield Calls("join_lane", [_lane(*lane, tasks=tasks) for lane, tasks in lanes.items()])
    yield from outbox.tell([Told(new.id, Happening.SUBMITTED, now) for new, now in made if _is_heard(admitted[new.id])])
    return {
        new.id: Created(_as_job(rows[new.id], queued), replayed=False)
        if isinstance(queued := admitted[new.id], Queued)
        else queued
        for new, _ in asked
    }


def _is_heard(queued: Queued | TranscoderError) -> bool:
    return isinstance(queued, Queued) and queued.is_heard


def _admit(group: Sequence[NewJob]) -> Op[dict[JobId, Queued | TranscoderError]]:
    """Jobs of one user and pipeline into the queue, or for each that is refused why."""
    one = group[0]
    most = max(new.outputs for new in group)
    try:
        queued = yield from quotas.queue(
            one.tenant_id, one.user_id, one.pipeline_id, one.pipeline_version, jobs=len(group), outputs=most
        )
    except TranscoderError as error:
        if len(group) == 1:
            return {one.id: error}
    else:
        return {new.id: queued for new in group}
    found: dict[JobId, Queued | TranscoderError] = {}
    for new in group:
        found |= yield from _admit([new])
    return found


def _row(new: NewJob, now: int) -> dict[str, Any]:
    """Of the job, of its task and of the event that begins its history."""
    return {**vars(new), "task_id": new.task_id, "task_state": new.task_state, "submitted_at": now}


def _as_job(row: Mapping[str, Any], queued: Queued) -> Job:
    """What reading it back gives."""
    return record(Job, {**_UNBEGUN, **row, "pipeline_status": queued.pipeline_status})


_UNBEGUN: Final[Mapping[str, Any]] = {
    "status": JobStatus.SUBMITTED,
    "result": None,
    "started_at": None,
    "finished_at": None,
    "attempt": Attempt(0),
    "node_id": None,
    "progress": None,
    "not_before": 0,
    "tenant_is_full": False,
    "user_is_full": False,
    "tenant_is_doubted": False,
}


def made_before(tenant_id: TenantId, token: Token, now: int) -> Op[Job | None]:
    """What this token made. Raises IdempotencyMismatch when that was for another request."""
    job_id = yield from tokens.stands_for(tenant_id, token, now)
    return None if job_id is None else (yield from read(tenant_id, JobId(job_id)))


def read(tenant_id: TenantId, job_id: JobId) -> Op[Job]:
    rows = yield call("job", id=job_id, tenant_id=tenant_id)
    return the_one(Job, rows, "job")


def page(
    tenant_id: TenantId, wanted: Mapping[str, str | None], *, ascending: bool, after: str, oldest: str, size: int
) -> Op[Page]:
    """Jobs of one tenant by id, which is by submission: those after `after`, none older than `oldest`.

    No more than `size`, and fewer where these are large.
    """
    direction = "jobs_ascending" if ascending else "jobs_descending"
    window = bounds(wanted, ascending=ascending, after=after, oldest=oldest)
    rows = yield call(direction + filter_name(wanted), tenant_id=tenant_id, size=size + 1, room=ROOM, **window)
    found = [record(Job, row) for row in rows[:size]]
    return Page(found, found[-1].id if len(rows) > size or is_full(rows) else None)


def is_full(rows: Sequence[Row]) -> bool:
    """Whether a page had no room for more than these."""
    size: int = sum(row["size"] for row in rows)
    return size >= ROOM


def bounds(wanted: Mapping[str, str | None], *, ascending: bool, after: str, oldest: str) -> dict[str, str]:
    """Which part of a tenant's jobs is listed, as parameters."""
    filters = {field: value for field, value in wanted.items() if value is not None}
    return filters | ({"after": max(after, oldest)} if ascending else {"after": after, "oldest": oldest})


def events(job_id: JobId, after: int, size: int) -> Op[list[Event]]:
    """Of a job that the caller has been shown to own."""
    rows = yield call("events", job_id=job_id, after=after, size=size)
    return [record(Event, row) for row in rows]


def cancel(tenant_id: TenantId, job_id: JobId, now: int, *, once: bool = False) -> Op[Ended]:
    """Ends a job that no agent has accepted; again on a canceled one changes nothing, and with `once` is refused.

    Raises WrongState once the job is Progressing or has ended otherwise.
    """
    job, task = yield from _locked(tenant_id, job_id)
    if job.status is JobStatus.CANCELED and not once:
        return Ended(job)
    canceled = yield call("cancel_job", id=job_id, now=now, heard=hears(Happening.CANCELED))
    if not canceled:
        raise WrongState(f"Only a Submitted job can be cancelled; this one is {job.status}.")
    yield call("stop_task", id=task.id, report=None)
    yield from leave(task, now)
    yield event(tenant_id, job_id, "canceled", now)
    yield from outbox.tell_if(canceled, Told(job_id, Happening.CANCELED, now))
    return Ended((yield from read(tenant_id, job_id)))


def stop(tenant_id: TenantId, job_id: JobId, now: int) -> Op[Ended]:
    """Ends work that is under way. What runs is told to stop and the job is Canceled when it has; again changes nothing.

    Raises WrongState while the job is Submitted, when it has ended otherwise, and once its results are being published.
    """
    job, task = yield from _locked(tenant_id, job_id)
    if job.status is JobStatus.CANCELED or task.state is TaskState.STOPPING:
        return Ended(job, task.node_id if task.state is TaskState.STOPPING else None)
    if job.status is JobStatus.SUBMITTED:
        raise WrongState("This job has not started; cancel it instead.")
    if job.status in TERMINAL_JOBS:
        raise WrongState(f"This job has ended: it is {job.status}.")
    if task.state is TaskState.PUBLISHING:
        raise WrongState("This job is done and its results are being published.")
    if task.state is TaskState.RUNNING:
        yield call("ask_to_stop", id=task.id)
        yield event(tenant_id, job_id, "stopping", now)
        return Ended((yield from read(tenant_id, job_id)), task.node_id)
    yield call("stop_task", id=task.id, report=None)
    yield from leave(task, now)
    yield from stopped(task, now)
    return Ended((yield from read(tenant_id, job_id)))


def stopped(task: Task, now: int) -> Op[None]:
    """The job of a task that was stopped is Canceled."""
    rows = yield call("stop_job", id=task.job_id, now=now, heard=hears(Happening.CANCELED))
    yield event(task.tenant_id, task.job_id, "canceled", now)
    yield from outbox.tell_if(rows, Told(task.job_id, Happening.CANCELED, now))


def start(tenant_id: TenantId, job_id: JobId, now: int) -> Op[Job]:
    """Puts a held job into its line. Raises WrongState when it was started already, or has ended."""
    job, task = yield from _locked(tenant_id, job_id)
    if task.state is not TaskState.HELD:
        state = "was started already" if job.status not in TERMINAL_JOBS else f"has ended: it is {job.status}"
        raise WrongState(f"This job {state}.")
    yield call("start_task", id=task.id)
    yield join_lane(task)
    yield event(tenant_id, job_id, "started", now)
    return (yield from read(tenant_id, job_id))


def leave(task: Task, now: int, made: Made = CANCELED) -> Op[None]:
    """Takes a task that ends out of whatever counts it where it stands, and settles what it reserved."""
    if task.state not in (TaskState.WAITING, TaskState.HELD):
        yield from leave_nodes([(task, made)], now)
        return
    if task.state is TaskState.WAITING:
        yield leave_lane(task)
    yield from quotas.count(task.tenant_id, task.user_id, queued=-1, running=0)
    yield from quotas.settle([(task, made)], now)


def leave_nodes(ended: Sequence[tuple[Task, Made]], now: int) -> Op[None]:
    """The same, of tasks that held slots."""
    freed: dict[tuple[TenantId, UserId], Counter[str]] = defaultdict(Counter)
    for task, made in ended:
        outcome = {"ended": int(made.status is not JobStatus.CANCELED), "failed": int(made.status is JobStatus.ERROR)}
        freed[task.tenant_id, task.user_id].update(running=-1, **outcome, **_cost_and_served(task, now))
    for (tenant_id, user_id), changes in freed.items():
        yield from quotas.count_ended(tenant_id, user_id, now, queued=0, **changes)
    yield from quotas.settle(ended, now)


def rejoin(task: Task, now: int, *, has_failed: bool) -> Op[None]:
    """Puts a task whose lease ended back into its line; whether that attempt counts against its tenant."""
    yield join_lane(task)
    counts = {"ended": int(has_failed), "failed": int(has_failed), **_cost_and_served(task, now)}
    yield from quotas.count_ended(task.tenant_id, task.user_id, now, queued=1, running=-1, **counts)


def join_lane(task: Task) -> Call:
    return Call("join_lane", _lane(task.pipeline_id, task.need, task.user_id, task.tenant_id, tasks=1))


def _lane(pipeline_id: PipelineId, need: str, user_id: UserId, tenant_id: TenantId, *, tasks: int) -> dict[str, Any]:
    return {"pipeline_id": pipeline_id, "need": need, "user_id": user_id, "tenant_id": tenant_id, "tasks": tasks}


def leave_lane(task: Task) -> Call:
    return call("leave_lane", pipeline_id=task.pipeline_id, need=task.need, user_id=task.user_id, tasks=1)


def event(tenant_id: TenantId, job_id: JobId, kind: str, now: int, data: str = "{}") -> Call:
    return Call("insert_event", happened(tenant_id, job_id, kind, now, data))


def events_of(happened: Iterable[Mapping[str, Any]]) -> Calls:
    """Of several jobs."""
    return Calls("insert_event", list(happened))


def happened(tenant_id: TenantId, job_id: JobId, kind: str, now: int, data: str = "{}") -> Mapping[str, Any]:
    return {"tenant_id": tenant_id, "job_id": job_id, "now": now, "type": kind, "data": data}


def _cost_and_served(task: Task, now: int) -> dict[str, int]:
    """What a task that held slots no longer costs its tenant, and what the tenant was served by it."""
    if task.granted is None or task.leased_at is None:
        return {"cost": 0, "served": 0}
    cost = fairness.cost(Demand.model_validate_json(task.granted))
    return {"cost": -cost, "served": cost * max(0, now - task.leased_at)}


def _locked(tenant_id: TenantId, job_id: JobId) -> Op[tuple[Job, Task]]:
    """Job and task, read after the task's row is locked, so that no grant or report comes between."""
    tasks = yield call("task_of_job", job_id=job_id)
    job = yield from read(tenant_id, job_id)
    return job, record(Task, tasks[0])
