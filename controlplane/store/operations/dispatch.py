"""Leases: granted, accepted, renewed, lost. Every change of an attempt names the whole lease."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import orjson

from controlplane.domain import placement, retrying
from controlplane.domain.fairness import Head, Standing, cost, in_turn
from controlplane.domain.lineage import Kinship, kinship
from controlplane.domain.placement import Need, Offer
from controlplane.domain.retrying import Ended, Retry, Rules
from controlplane.domain.trust import Admits, Breaker, admits
from controlplane.domain.usage import read_in_vain
from controlplane.store.operations import ending, jobs, quotas, trust
from controlplane.store.operations.attempts import note
from controlplane.store.operations.ending import NOWHERE, RULES
from controlplane.store.port import Calls, Op, Row, call
from controlplane.store.records import Node, Task, Work, record
from shared.capacity import Demand, remaining
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
    TenantId,
    UserId,
    lease_id,
    made_at,
)
from shared.jobspec import HardwarePreference
from shared.protocol import AttemptProgress, AttemptRef, DetectedProperties, Interruption
from shared.statuses import NodeState, NodeTrust, TaskState

STARTS_REMEMBERED: Final = 100


LANES_OF_A_TENANT: Final = 100
"""Looked at in one round: whoever asks for something else in every job does not make the others' rounds long."""


@dataclass(frozen=True)
class Grant:
    """A lease as it was given."""

    node_id: NodeId
    ref: AttemptRef
    job_id: JobId
    granted: Demand


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


def grant_round(
    offers: Sequence[Offer], *, now: int, accept_within: int, breaker: Breaker = RULES.breaker
) -> Op[list[Grant]]:
    """Gives the best waiting tasks to waiting nodes until no more fit; never one task to two nodes.

    A node on trial gets one task. A suspect task gets a node that does nothing else, and keeps it to itself.
    """
    room = yield from _room(offers, now, breaker)
    if not room:
        return []
    rows = yield call("heads", now=now, most=LANES_OF_A_TENANT)
    lanes = {_lane(row): _head(row, now) for row in rows}
    standings = {TenantId(row["tenant_id"]): _standing(row) for row in rows}
    may_run = {UserId(row["user_id"]): row["user_may_run"] for row in rows if row["user_may_run"] is not None}
    grants: list[Grant] = []
    while (choice := _choose(in_turn(lanes.values(), standings, may_run), room)) is not None:
        head, offer, demand = choice
        granted = yield from _grant(head, offer, demand, now=now, accept_by=now + accept_within)
        if granted is not None:
            grants.append(granted)
            standings[head.tenant_id] = standings[head.tenant_id].after(demand)
            if head.user_id in may_run:
                may_run[head.user_id] -= 1
            if offer.is_on_trial:
                yield from trust.on_trial(offer.node_id, now)
            if offer.is_on_trial or head.is_suspect:
                del room[offer.node_id]
            else:
                room[offer.node_id] = room[offer.node_id].after(demand)
        lane = {"pipeline_id": head.pipeline_id, "need": head.need, "user_id": head.user_id}
        del lanes[tuple(lane.values())]
        for row in (yield call("head", **lane, now=now)):
            lanes[_lane(row)] = _head(row, now)
    return grants


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
    yield Calls(
        "progress_job", [{"id": row["job_id"], "node_id": each.node_id, "now": each.now} for each, row in began]
    )
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
        outputs = len(orjson.loads((yield from work(task.id)).document)["outputs"])
        refusal = yield from quotas.reserve_minutes(task, inputs, outputs, now)
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


def undelivered(node_id: NodeId, boot_id: BootId, before: int) -> Op[list[Grant]]:
    """Leases that were granted to this agent and never accepted: their answer may have been lost on the way."""
    rows = yield call("unaccepted_of_node", node_id=node_id, boot_id=boot_id, before=before)
    grants = []
    for row in rows:
        grant = Grant(
            node_id=node_id,
            ref=AttemptRef(task_id=row["id"], attempt=row["attempt"], lease_id=row["lease_id"]),
            job_id=JobId(row["job_id"]),
            granted=Demand.model_validate_json(row["granted"]),
        )
        grants.append(grant)
    return grants


def work(task_id: TaskId) -> Op[Work]:
    (row,) = yield call("work", id=task_id)
    return record(Work, row)


def stopping(node_id: NodeId) -> Op[list[AttemptRef]]:
    rows = yield call("stopping_of_node", node_id=node_id)
    return [AttemptRef(task_id=row["id"], attempt=row["attempt"], lease_id=row["lease_id"]) for row in rows]


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


def anything_waiting() -> Op[bool]:
    return bool((yield call("anything_waiting")))


def next_delayed(now: int) -> Op[int | None]:
    """When the next task that waits out a delay may go."""
    (row,) = yield call("next_delayed", now=now)
    return row["at"]  # type: ignore[no-any-return]


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


def _room(offers: Sequence[Offer], now: int, breaker: Breaker) -> Op[dict[NodeId, Offer]]:
    """The nodes that may have work, each with the lesser of what it says is free and what our own ledger says."""
    room = {}
    for offer in offers:
        held = yield call("held_by_node", node_id=offer.node_id, boot_id=offer.boot_id)
        admitted = _admits(held, now, breaker) if held else Admits.NOTHING
        if admitted is Admits.NOTHING:
            continue  # it was drained, revoked, started anew or set aside while its poll was held
        taken = [Demand.model_validate_json(row["granted"]) for row in held if row["granted"] is not None]
        ours = remaining(offer.capacity, taken)
        room[offer.node_id] = replace(
            offer,
            free=placement.lesser(offer.free, ours),
            is_idle=not taken,
            is_on_trial=admitted is Admits.ONE,
        )
    return room


def _admits(held: Sequence[Row], now: int, breaker: Breaker) -> Admits:
    """What a node may be given, from the rows of what it holds."""
    tasks = [row for row in held if row["granted"] is not None]
    return admits(
        NodeTrust(held[0]["trust"]),
        since=held[0]["trusted_since"],
        now=now,
        holds=len(tasks),
        holds_suspect=any(row["killed_on"] != NOWHERE for row in tasks),
        breaker=breaker,
    )


def _choose(heads: Iterable[Head], offers: Mapping[NodeId, Offer]) -> tuple[Head, Offer, Demand] | None:
    """The first head that some node has room for beside those whose turn comes before."""
    room = dict(offers)
    passed_over: set[str] = set()
    for head in heads:
        if head.need in passed_over:
            continue  # room only shrinks: what had none before has none now
        need = need_from_json(head.need)
        eligible = placement.elsewhere(need, room.values(), head.failed_on)
        found = placement.best(need, [offer for offer in eligible if offer.is_idle or not head.is_suspect])
        if found is not None:
            return head, *found
        if not head.failed_on and not head.is_suspect:
            passed_over.add(head.need)
        waits_on = placement.reserved(need, eligible)
        if waits_on is not None and head.is_suspect:
            del room[waits_on.node_id]  # nothing more begins there until it is idle
        elif waits_on is not None:
            room[waits_on.node_id] = waits_on
    return None


def _lane(row: Row) -> tuple[str, ...]:
    return row["pipeline_id"], row["need"], row["user_id"]


def _head(row: Row, now: int) -> Head:
    return Head(
        task_id=row["id"],
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        pipeline_id=row["pipeline_id"],
        need=row["need"],
        priority=row["priority"],
        waited_ms=max(0, now - made_at(row["id"])),
        failed_on=ending.nodes_in(row["failed_on"]),
        is_suspect=row["killed_on"] != NOWHERE,
    )


def _standing(row: Row) -> Standing:
    return Standing(
        running=row["running"],
        most_running=row["max_running"],
        cost=row["running_cost"],
        served=row["served"],
        weight=row["weight"],
        ceiling=row["priority_ceiling"],
    )


def _grant(head: Head, offer: Offer, granted: Demand, *, now: int, accept_by: int) -> Op[Grant | None]:
    lease: LeaseId = lease_id()
    rows = yield call(
        "grant",
        id=head.task_id,
        lease_id=lease,
        node_id=offer.node_id,
        boot_id=offer.boot_id,
        now=now,
        accept_by=accept_by,
        granted=granted.model_dump_json(),
    )
    if not rows:
        return None  # another replica was faster
    yield jobs.leave_lane(head)
    yield from quotas.count(head.tenant_id, head.user_id, queued=-1, running=1, cost=cost(granted))
    return Grant(
        node_id=offer.node_id,
        ref=AttemptRef(task_id=head.task_id, attempt=rows[0]["attempt"], lease_id=lease),
        job_id=JobId(rows[0]["job_id"]),
        granted=granted,
    )


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
        yield call("stop_job", id=task.job_id, now=now)
        yield jobs.event(task.tenant_id, task.job_id, "canceled", now)
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


def need_to_json(need: Need) -> str:
    """Equal needs make equal texts: they name the lane. A list, since the text is part of keys."""
    demand = need.demand
    return orjson.dumps(
        [
            need.cluster_id,
            dict(need.labels),
            need.hardware,
            demand.cpu_threads,
            demand.memory,
            demand.scratch,
            demand.nvenc_sessions,
            demand.feed_threads,
            demand.pixel_rate,
        ],
        option=orjson.OPT_SORT_KEYS,
    ).decode()


@lru_cache(4096)
def need_from_json(text: str) -> Need:
    cluster_id, labels, hardware, threads, memory, scratch, sessions, feed_threads, pixel_rate = orjson.loads(text)
    demand = Demand(
        cpu_threads=threads,
        memory=memory,
        scratch=scratch,
        nvenc_sessions=sessions,
        feed_threads=feed_threads,
        pixel_rate=pixel_rate,
    )
    return Need(cluster_id, labels, HardwarePreference(hardware), demand)
