"""What a node did that tells whether to trust it, and what follows: the breaker, and the mark of a cloned credential."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from controlplane.domain.lineage import are_two_alive
from controlplane.domain.trust import Breaker, after_fault, after_success
from controlplane.store.operations import identity
from controlplane.store.port import Op, call
from controlplane.store.records import Event, Node, record
from shared.ids import BootId, NodeId
from shared.statuses import NodeState, NodeTrust


def fault(node_id: NodeId, now: int, breaker: Breaker, told: Mapping[str, object]) -> Op[None]:
    """The node failed at what others can do. Too often, and it is set aside."""
    yield from note(node_id, "fault", now, told)
    (row,) = yield call("node", id=node_id)
    since = max(now - breaker.window_ms, row["trusted_since"])
    (count,) = yield call("count_faults", node_id=node_id, since=since)
    after = after_fault(NodeTrust(row["trust"]), faults=count["faults"], breaker=breaker)
    if after is NodeTrust.SET_ASIDE:
        yield from _set(node_id, after, now, {"faults": count["faults"]})


def success(node_id: NodeId, now: int) -> Op[None]:
    """The node finished something well."""
    (row,) = yield call("node", id=node_id)
    before = NodeTrust(row["trust"])
    if after_success(before) is not before:
        yield from _set(node_id, after_success(before), now)


def on_trial(node_id: NodeId, now: int) -> Op[None]:
    """The pause is over and the node gets one task."""
    yield from _set(node_id, NodeTrust.ON_TRIAL, now)


def vouched_for(node_id: NodeId, now: int) -> Op[None]:
    """An operator has looked after the node: it may work, and is trusted again."""
    yield from identity.set_node_state(node_id, NodeState.ACTIVE)
    yield call("forget_rival", id=node_id)
    yield from _set(node_id, NodeTrust.GOOD, now)


def older_start_speaks(node_id: NodeId, boot_id: BootId, *, now: int, lease: int) -> Op[bool]:
    """A start that another has followed says something. Whether that made the node count as cloned, which happens once."""
    (row,) = yield call("node", id=node_id)
    node = record(Node, row)
    ancestors = orjson.loads(node.ancestors)
    if not are_two_alive(
        boot_id, rival=node.rival_boot, ancestors=ancestors, followed_for=now - node.booted_at, lease=lease
    ):
        return False
    marked = yield call("note_clone", id=node_id, boot_id=boot_id, now=now)
    if marked:
        yield from note(node_id, _EVENTS[NodeTrust.CLONED], now, {"boot_id": boot_id})
    return bool(marked)


def events(node_id: NodeId, after: int, size: int) -> Op[list[Event]]:
    rows = yield call("node_events", node_id=node_id, after=after, size=size)
    return [record(Event, row) for row in rows]


def note(node_id: NodeId, kind: str, now: int, told: Mapping[str, object] | None = None) -> Op[None]:
    yield call("insert_node_event", node_id=node_id, type=kind, now=now, data=orjson.dumps(told or {}).decode())


_EVENTS = {
    NodeTrust.GOOD: "trusted_again",
    NodeTrust.SET_ASIDE: "set_aside",
    NodeTrust.ON_TRIAL: "on_trial",
    NodeTrust.CLONED: "cloned",
}


def _set(node_id: NodeId, to: NodeTrust, now: int, told: Mapping[str, object] | None = None) -> Op[None]:
    if (yield call("set_trust", id=node_id, trust=to, now=now)):
        yield from note(node_id, _EVENTS[to], now, told)
