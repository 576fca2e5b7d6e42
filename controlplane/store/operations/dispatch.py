"""Leases: accepted, renewed, lost. Every change of an attempt names the whole lease."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

import orjson

from controlplane.domain import retrying
from controlplane.domain.lineage import Kinship, kinship
from controlplane.domain.notifications import Happening, hears
from controlplane.domain.parts import lengths
from controlplane.domain.retrying import Ended, Retry, Rules
from controlplane.domain.usage import read_in_vain
from controlplane.store.operations import ending, jobs, outbox, quotas, trust
from controlplane.store.operations.attempts import note
from controlplane.store.operations.ending import RULES
from controlplane.store.operations.outbox import Told
from controlplane.store.port import Calls, Op, call
from controlplane.store.records import Node, Task, Work, record
from shared.errors import NotFound, StaleLease
from shared.failures import Failure
from shared.ids import (
    Attempt,
    BootId,
    ClusterId,
    JobId,
    LeaseId,
    NodeId,
    TaskId,
)
from shared.jobspec import JobDocument
from shared.protocol import AttemptProgress, AttemptRef, DetectedProperties, Interruption
from shared.statuses import NodeState, TaskState

STARTS_REMEMBERED: Final = 100


@dataclass(frozen=True)
class Start:
    """One start of an agent, and what it knows of those before it."""

    boot_id: BootId
    before: tuple[BootId, ...] | None = None
    unreported: tuple[AttemptRef, ...] = ()
    interrupted: tuple[Interruption, ...] = ()


@dataclass(frozen=True)
class Lost:
    """An attempt that ended without a result, and whose staging is to be removed."""

    task_id: TaskId
    attempt: Attempt
    job_id: JobId
    files: str
    failure: Failure | None = None
    """Why the job failed, if it did."""


@dataclass(frozen=True)
class Heard:
    """What a beat is answered with: what the node is to be, and per attempt `keep`, `stop` or `drop`."""

    state: NodeState
    reprobe: bool
    verdicts: Sequence[str]


@dataclass(frozen=True)
class Silence:
    cluster_id: ClusterId
    nodes: int
    silent: int


@dataclass(frozen=True)
class Acceptance:
    """A node begins: from here on the job is Progressing."""

    ref: AttemptRef
    node_id: NodeId
    now: int
    expires_at: int


def accept(accepted: Sequence[Acceptance]) -> Op[Sequence[JobId | Exception]]:
    """Together. Accepting again while it runs is answered as the first time; StaleLease for what is not the live lease."""
    keys = [{**_key(each.ref, each.node_id), "expires_at": each.expires_at} for each in accepted]
    rows = {(row["id"], row["attempt"], row["lease_id"]): row for row in (yield Calls("accept", keys))}
    began = [(each, row) for each in accepted if (row := rows.pop(_identity(each.ref), None)) is not None]
    yield jobs.events_of(
        jobs.happened(
            row["tenant_id"],
            row["job_id"],
            "progressing",
            each.now,
            orjson.dumps({"attempt": each.ref.attempt, "node_id": each.node_id}).decode(),
        )
        for each, row in began
    )
    heard = hears(Happening.PROGRESSING)
    progressing = yield Calls(
        "progress_job",
        [{"id": row["job_id"], "node_id": each.node_id, "now": each.now, "heard": heard} for each, row in began],
    )
    listened = {row["id"] for row in progressing if row["is_heard"]}
    yield from outbox.tell(
        [Told(row["job_id"], Happening.PROGRESSING, each.now) for each, row in began if row["job_id"] in listened]
    )
    answers: dict[int, JobId | Exception] = {id(each): JobId(row["job_id"]) for each, row in began}
    for each in accepted:
        if id(each) not in answers:
            answers[id(each)] = yield from _accepted_before(each)
    return [answers[id(each)] for each in accepted]


def probed(ref: AttemptRef, node_id: NodeId, inputs: Sequence[DetectedProperties], now: int) -> Op[Task]:
    """What the node found in the inputs, before it encodes: minutes are set aside, or the job fails. The task as it is then.

    Raises StaleLease.
    """
    task = yield from live_lease(ref, node_id)
    if task.state is TaskState.RUNNING:
        document = JobDocument.model_validate_json((yield from work(task.id)).document)
        refusal = yield from quotas.reserve_minutes(task, lengths(document, inputs), now)
        if refusal is not None:
            yield from ending.fail(task, now, refusal, report=None, made=read_in_vain(inputs))
    (row,) = yield call("task", id=ref.task_id)
    return record(Task, row)


def beat(
    node_id: NodeId, boot_id: BootId, free: str, attempts: Sequence[AttemptProgress], *, now: int, lease: int
) -> Op[Heard]:
    """Presence and renewals in one.

    Raises StaleLease when the node has started again since: this agent is not the one that runs now.
    """
    seen = yield call("see_node", id=node_id, boot_id=boot_id, free=free, now=now)
    if not seen:
        raise StaleLease("Another agent has started with this node's credential.")
    verdicts = []
    for attempt in attempts:
        progress = attempt.progress.model_dump_json()
        rows = yield call("renew", **_key(attempt.ref, node_id), expires_at=now + lease, progress=progress)
        if rows:
            yield from note(rows[0], attempt.events, now)
        verdicts.append("drop" if not rows else "stop" if rows[0]["state"] == TaskState.STOPPING else "keep")
    return Heard(NodeState(seen[0]["state"]), seen[0]["reprobe_asked_at"] is not None, verdicts)


def hello(node_id: NodeId, start: Start, facts: str, *, now: int, lease: int, rules: Rules = RULES) -> Op[list[Lost]]:
    """A node starts: leases of its earlier boots end, except those whose report is still to come.

    Raises StaleLease for a start that a later one of the same machine has followed already.
    """
    known = yield from node(node_id)
    kin = kinship(start.boot_id, start.before, present=known.boot_id, ancestors=orjson.loads(known.ancestors))
    if kin is Kinship.LATE:
        raise StaleLease("Another agent has started with this node's credential.")
    if kin is not Kinship.SAME:
        yield from _follow(known, start, kin, now)
    yield call("set_facts", id=node_id, facts=facts, now=now)
    unreported = set(map(_identity, start.unreported))
    told = {_identity(interruption.ref): interruption for interruption in start.interrupted}
    lost = []
    rows = yield call("leases_of_node", node_id=node_id)
    for task in [record(Task, row) for row in rows]:
        identity = (task.id, task.attempt, task.lease_id)
        if identity in unreported:
            yield call("adopt_lease", id=task.id, boot_id=start.boot_id, expires_at=now + lease)
        elif task.boot_id != start.boot_id:
            how = retrying.how_it_ended(told.get(identity))
            lost.append((yield from _lose(task, now, how, rules, reason="the agent restarted")))
    return lost


def _follow(known: Node, start: Start, kin: Kinship, now: int) -> Op[None]:
    """From now on this start is the node. The one it took the place of, if a stranger, must say nothing more."""
    followed = [known.boot_id] if known.boot_id and kin is Kinship.SUCCESSOR else []
    ancestors = dict.fromkeys([*orjson.loads(known.ancestors), *(start.before or ()), *followed])
    yield call(
        "boot_node",
        id=known.id,
        boot_id=start.boot_id,
        ancestors=orjson.dumps(list(ancestors)[-STARTS_REMEMBERED:]).decode(),
        rival_boot=known.boot_id if kin is Kinship.STRANGER else known.rival_boot,
        now=now,
    )
    yield from trust.note(known.id, "started", now, {"boot_id": start.boot_id})


def node(node_id: NodeId) -> Op[Node]:
    rows = yield call("node", id=node_id)
    if not rows:
        raise NotFound("node")
    return record(Node, rows[0])


def work(task_id: TaskId) -> Op[Work]:
    (row,) = yield call("work", id=task_id)
    return record(Work, row)


def reap(*, now: int, floor: int, braked: Set[ClusterId], size: int, rules: Rules = RULES) -> Op[list[Lost]]:
    """Ends leases that ran out. An unaccepted one costs nothing; a silent runner costs an attempt.

    Spares those last renewed before `floor` (as lease ends), and every running one in a braked cluster.
    """
    rows = yield call("expired", now=now, floor=floor, size=size)
    spared = [row["cluster_id"] in braked and row["state"] != TaskState.LEASED for row in rows]
    lost = []
    for task in [record(Task, row) for row, spare in zip(rows, spared, strict=True) if not spare]:
        lost.append((yield from _lose(task, now, Ended.SILENT, rules, reason="its lease ran out")))
    return lost


def forgive(*, now: int, lease: int, delay: int) -> Op[None]:
    """Silence that began before now is forgiven for a while. No lease and no delay then ends later than one made now could."""
    yield call("set_meta", key="started_at", value=str(now))
    yield call("shorten_leases", latest=now + lease)
    yield call("shorten_delays", latest=now + delay)


def revoke(node_id: NodeId, now: int) -> Op[list[Lost]]:
    """Refuses a node for good. What it held waits again at once: nothing that it says counts any more.

    Raises NotFound for a node that was revoked before.
    """
    if not (yield call("set_node_state", id=node_id, state=NodeState.REVOKED)):
        raise NotFound("node")
    rows = yield call("leases_of_node", node_id=node_id)
    lost = []
    for task in [record(Task, row) for row in rows]:
        lost.append((yield from _lose(task, now, Ended.TAKEN_AWAY, RULES, reason="its node was revoked")))
    return lost


def files_of_lease(task_id: TaskId, attempt: Attempt) -> Op[str]:
    """Where the files of an attempt lie, as a JSON text, while a node works on it. Raises StaleLease."""
    rows = yield call("files_of_lease", id=task_id, attempt=attempt)
    if not rows:
        raise StaleLease("This lease has ended.")
    return str(rows[0]["files"])


def silence(*, since: int, horizon: int) -> Op[list[Silence]]:
    """Per cluster, how many of the nodes heard of after `horizon` have not been heard of after `since`."""
    rows = yield call("silent_nodes", since=since, horizon=horizon)
    return [Silence(ClusterId(row["cluster_id"]), int(row["nodes"]), int(row["silent"])) for row in rows]


def live_lease(ref: AttemptRef, node_id: NodeId) -> Op[Task]:
    """The task, while this is its live lease. Raises StaleLease."""
    if not (yield call("live_lease", **_key(ref, node_id))):
        raise StaleLease("This lease has ended.")
    (row,) = yield call("task", id=ref.task_id)
    return record(Task, row)


def _accepted_before(again: Acceptance) -> Op[JobId | StaleLease]:
    try:
        task = yield from live_lease(again.ref, again.node_id)
    except StaleLease as error:
        return error
    return task.job_id if task.state is not TaskState.LEASED else StaleLease("This lease could not be accepted.")


def _lose(task: Task, now: int, how: Ended, rules: Rules, *, reason: str) -> Op[Lost]:
    """Ends a lease without a result. Work that was asked to stop has stopped now; what was not begun costs nothing."""
    lost = Lost(task.id, task.attempt, task.job_id, task.files)
    if task.state is TaskState.STOPPING:
        yield call("stop_task", id=task.id, report=None)
        yield from jobs.leave(task, now)
        yield from jobs.stopped(task, now)
        return lost
    tally, node_id = ending.tally_of(task), ending.holder(task)
    if task.state is TaskState.LEASED:
        yield from ending.requeue(task, now, retry=Retry(0, tally), reason=reason, report=None)
        return lost
    if how in (Ended.REBOOTED, Ended.RESTARTED):
        yield from trust.fault(node_id, now, rules.breaker, {"job_id": task.job_id, "message": f"it {how}"})
    verdict = retrying.after_interruption(how, tally, node_id, rules)
    yield from ending.settle(task, verdict, now, reason=reason, report=None)
    return replace(lost, failure=verdict if isinstance(verdict, Failure) else None)


def _identity(ref: AttemptRef) -> tuple[TaskId, Attempt, LeaseId | None]:
    return ref.task_id, ref.attempt, ref.lease_id


def _key(ref: AttemptRef, node_id: NodeId) -> dict[str, str | int]:
    return {"id": ref.task_id, "attempt": ref.attempt, "lease_id": ref.lease_id, "node_id": node_id}
