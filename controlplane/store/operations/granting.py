"""Leases: given to nodes that wait for work, in rounds."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from controlplane.domain import placement
from controlplane.domain.fairness import Head, Standing, cost, in_turn
from controlplane.domain.placement import Offer
from controlplane.domain.trust import Admits, Breaker, admits
from controlplane.store.operations import ending, quotas, trust
from controlplane.store.operations.ending import NOWHERE, RULES
from controlplane.store.operations.needs import need_from_json
from controlplane.store.port import Calls, Op, Row, call
from shared.capacity import Demand, remaining
from shared.ids import BootId, JobId, LeaseId, NodeId, TaskId, TenantId, UserId, lease_id, made_at
from shared.protocol import AttemptRef
from shared.statuses import NodeTrust, TaskState

LANES_OF_A_TENANT: Final = 100
"""Looked at in one round: whoever asks for something else in every job does not make the others' rounds long."""
_RING: Final = 2_147_483_647
"""Places in the ring of a tenant's lanes."""
_STRIDE: Final = 1_327_217_884
"""Between the starts of two rounds, the ring's golden section: however many there were, they lie evenly spread."""
READ_AHEAD: Final = 16
"""Tasks of a lane that are read when its first has been given away."""


@dataclass(frozen=True)
class Round:
    """What waiting nodes offer, at a moment. Rounds are numbered: each begins elsewhere with tenants of very many lanes."""

    offers: Sequence[Offer]
    now: int
    number: int
    accept_within: int
    breaker: Breaker = RULES.breaker


@dataclass(frozen=True)
class Grant:
    """A lease as it was given."""

    node_id: NodeId
    ref: AttemptRef
    job_id: JobId
    granted: Demand


class Unheard(NamedTuple):
    """Leases that a node has not accepted, and attempts that it has not ended."""

    to_start: list[Grant]
    to_stop: list[AttemptRef]


class Outlook(NamedTuple):
    """Whether anything waits that may go, and when the next task may that waits out a delay."""

    may_go: bool
    next_at: int | None


def grant_round(
    offers: Sequence[Offer], *, now: int, number: int, accept_within: int, breaker: Breaker = RULES.breaker
) -> Op[list[Grant]]:
    """Gives the best waiting tasks to waiting nodes until no more fit; never one task to two nodes.

    A node on trial gets one task. A suspect task gets a node that does nothing else, and keeps it to itself.
    """
    room = yield from _room(offers, now, breaker)
    if not room:
        return []
    rows = yield call("heads", now=now, start=start(number), most=LANES_OF_A_TENANT)
    lanes = {_lane(row): deque([_head(row, now)]) for row in rows}
    standings = {TenantId(row["tenant_id"]): _standing(row) for row in rows}
    may_run = {UserId(row["user_id"]): row["user_may_run"] for row in rows if row["user_may_run"] is not None}
    taken: dict[_Lane, set[TaskId]] = defaultdict(set)
    read_out: set[_Lane] = set()
    chosen: list[_Chosen] = []
    while (choice := _choose(in_turn([lane[0] for lane in lanes.values()], standings, may_run), room)) is not None:
        head, offer, demand = choice
        chosen.append(_Chosen(head, offer, demand, lease_id()))
        standings[head.tenant_id] = standings[head.tenant_id].after(demand)
        if head.user_id in may_run:
            may_run[head.user_id] -= 1
        if offer.is_on_trial:
            yield from trust.on_trial(offer.node_id, now)
        if offer.is_on_trial or head.is_suspect:
            del room[offer.node_id]
        else:
            room[offer.node_id] = room[offer.node_id].after(demand)
        lane = _Lane(head.pipeline_id, head.need, head.user_id)
        taken[lane].add(lanes[lane].popleft().task_id)
        if not lanes[lane] and lane not in read_out:
            following, is_all = yield from _next_of(lane, taken[lane], now)
            lanes[lane].extend(following)
            read_out |= {lane} if is_all else set()
        if not lanes[lane]:
            del lanes[lane]
    return (yield from _granted(chosen, now=now, accept_by=now + accept_within))


def start(number: int) -> int:
    """Where in the ring of a tenant's lanes a round begins."""
    return number * _STRIDE % _RING


def rounds(asked: Sequence[Round]) -> Op[list[list[Grant]]]:
    """One after the other."""
    given = []
    for one in asked:
        given.append((yield from grant_round(**vars(one))))
    return given


def unheard(node_id: NodeId, boot_id: BootId, before: int) -> Op[Unheard]:
    """The answer that told an agent of a lease may have been lost on the way, and so may the one that told it to stop."""
    unheard = Unheard([], [])
    for row in (yield call("unheard_of_node", node_id=node_id, boot_id=boot_id, before=before)):
        ref = AttemptRef(task_id=row["id"], attempt=row["attempt"], lease_id=row["lease_id"])
        if row["state"] == TaskState.STOPPING:
            unheard.to_stop.append(ref)
        else:
            granted = Demand.model_validate_json(row["granted"])
            unheard.to_start.append(Grant(node_id, ref, JobId(row["job_id"]), granted))
    return unheard


def outlook(now: int) -> Op[Outlook]:
    (row,) = yield call("outlook", now=now)
    return Outlook(bool(row["may_go"]), row["next_at"])


def is_crowded() -> Op[bool]:
    """Whether one round does not look at all lanes."""
    (row,) = yield call("crowded", most=LANES_OF_A_TENANT)
    return bool(row["crowded"])


class _Lane(NamedTuple):
    pipeline_id: str
    need: str
    user_id: str


class _Chosen(NamedTuple):
    head: Head
    offer: Offer
    granted: Demand
    lease_id: LeaseId


def _room(offers: Sequence[Offer], now: int, breaker: Breaker) -> Op[dict[NodeId, Offer]]:
    """The nodes that may have work, each with the lesser of what it says is free and what our own ledger says."""
    asked = [{"node_id": offer.node_id, "boot_id": offer.boot_id} for offer in offers]
    held_by: dict[NodeId, list[Row]] = defaultdict(list)
    for row in (yield Calls("held_by_node", asked)):
        held_by[row["node_id"]].append(row)
    room = {}
    for offer in offers:
        held = held_by[offer.node_id]
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
        of_the_kind = placement.suiting(need, room.values())
        if not of_the_kind:
            passed_over.add(head.need)
            continue
        eligible = placement.elsewhere(need, of_the_kind, head.failed_on)
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


def _lane(row: Row) -> _Lane:
    return _Lane(row["pipeline_id"], row["need"], row["user_id"])


def _next_of(lane: _Lane, taken: set[TaskId], now: int) -> Op[tuple[list[Head], bool]]:
    """The first of a lane that were not taken in this round, for those still stand as waiting; and whether these are all."""
    size = len(taken) + max(READ_AHEAD, len(taken))
    rows = yield call("lane", **lane._asdict(), now=now, size=size)
    return [_head(row, now) for row in rows if row["id"] not in taken], len(rows) < size


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
        most_running=1 if row["is_doubted"] else row["max_running"],
        cost=row["running_cost"],
        served=row["served"],
        weight=row["weight"],
        ceiling=row["priority_ceiling"],
    )


def _granted(chosen: Sequence[_Chosen], *, now: int, accept_by: int) -> Op[list[Grant]]:
    """Without those for which another replica was faster."""
    leases = [
        {
            "id": each.head.task_id,
            "lease_id": each.lease_id,
            "node_id": each.offer.node_id,
            "boot_id": each.offer.boot_id,
            "now": now,
            "accept_by": accept_by,
            "granted": each.granted.model_dump_json(),
        }
        for each in chosen
    ]
    rows = {row["id"]: row for row in (yield Calls("grant", leases))}
    given = [(each, rows[each.head.task_id]) for each in chosen if each.head.task_id in rows]
    left: Counter[_Lane] = Counter()
    started: dict[tuple[TenantId, UserId], Counter[str]] = defaultdict(Counter)
    for (head, _, granted, _), _ in given:
        left[_Lane(head.pipeline_id, head.need, head.user_id)] += 1
        started[head.tenant_id, head.user_id].update(queued=-1, running=1, cost=cost(granted))
    for lane, tasks in left.items():
        yield call("leave_lane", **lane._asdict(), tasks=tasks)
    for (tenant_id, user_id), counts in started.items():
        yield from quotas.count(tenant_id, user_id, **counts)
    return [
        Grant(
            node_id=each.offer.node_id,
            ref=AttemptRef(task_id=each.head.task_id, attempt=row["attempt"], lease_id=each.lease_id),
            job_id=JobId(row["job_id"]),
            granted=each.granted,
        )
        for each, row in given
    ]
