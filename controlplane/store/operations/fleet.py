"""The fleet as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache

import orjson

from controlplane.domain import placement
from controlplane.domain.placement import Offer
from controlplane.domain.waiting import Site
from controlplane.store.port import Op, call
from shared.capacity import Capacity, Demand, Free, NodeFacts, remaining
from shared.ids import BootId, ClusterId, NodeId
from shared.statuses import ClusterStatus, NodeState, NodeTrust


def sites(silent_since: int) -> Op[list[Site]]:
    """Every node that has ever said hello and was not revoked, with what is left of it."""
    held: dict[NodeId, list[Demand]] = defaultdict(list)
    for row in (yield call("held")):
        held[row["node_id"]].append(Demand.model_validate_json(row["granted"]))
    rows = yield call("fleet")
    found = []
    for row in rows:
        labels, capacity = worn_and_had(row["facts"], row["labels"])
        ours = remaining(capacity, held[row["id"]])
        free = placement.lesser(Free.model_validate_json(row["free"]), ours) if row["free"] else ours
        offer = Offer(NodeId(row["id"]), BootId(row["boot_id"]), ClusterId(row["cluster_id"]), labels, capacity, free)
        site = Site(
            offer,
            NodeState(row["state"]),
            is_in_paused_cluster=row["cluster_status"] == ClusterStatus.PAUSED,
            is_to_reprobe=row["reprobe_asked_at"] is not None,
            is_set_aside=row["trust"] in (NodeTrust.SET_ASIDE, NodeTrust.CLONED),
            is_silent=row["last_seen_at"] < silent_since,
        )
        found.append(site)
    return found


@lru_cache(8192)
def worn_and_had(facts: str, labels: str) -> tuple[Mapping[str, str], Capacity]:
    """A node's labels, the operator's over its own, and its capacity: from texts that hardly ever change."""
    known = NodeFacts.model_validate_json(facts)
    return {**known.labels, **orjson.loads(labels)}, known.capacity
