"""Where work is done: clusters and nodes."""

from __future__ import annotations

import datetime as dt

import orjson
from pydantic import Field

from controlplane.api.views.pages import moment
from controlplane.store import records
from shared.capacity import Free, NodeFacts
from shared.clock import to_datetime
from shared.ids import ClusterId, NodeId
from shared.models import Answer
from shared.statuses import ClusterStatus, NodeState, NodeTrust


class ClusterView(Answer):
    id: ClusterId
    name: str
    status: ClusterStatus
    created_at: dt.datetime


def cluster(found: records.Cluster) -> ClusterView:
    return ClusterView(id=found.id, name=found.name, status=found.status, created_at=to_datetime(found.created_at))


class JoinTokenView(Answer):
    token: str = Field(description="Good for one node; shown now, and never again.")
    cluster_id: ClusterId
    expires_at: dt.datetime


class NodeView(Answer):
    id: NodeId
    cluster_id: ClusterId
    name: str
    state: NodeState
    running: int = Field(description="Attempts that it holds.")
    is_to_reprobe: bool = Field(description="It gets no new work until it has found out anew what it can do.")
    trust: NodeTrust = Field(description="Whether it gets work, as its own doings tell: see its events.")
    labels: dict[str, str]
    last_seen_at: dt.datetime | None
    created_at: dt.datetime
    facts: NodeFacts | None
    free: Free | None


def node(found: records.NodeAtWork) -> NodeView:
    facts = NodeFacts.model_validate_json(found.facts) if found.facts else None
    return NodeView(
        id=found.id,
        cluster_id=found.cluster_id,
        name=found.name,
        state=found.shown_state,
        running=found.running,
        is_to_reprobe=found.reprobe_asked_at is not None,
        trust=found.trust,
        labels={**(facts.labels if facts else {}), **orjson.loads(found.labels)},
        last_seen_at=moment(found.last_seen_at),
        created_at=to_datetime(found.created_at),
        facts=facts,
        free=Free.model_validate_json(found.free) if found.free else None,
    )
