"""Why a job waits, as its tenant is told: a stable code, a sentence, and the figures behind it.

What a tenant learns of nodes are numbers and sizes, never their names, and nothing of other tenants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from controlplane.domain import placement
from controlplane.domain.placement import Need, Offer
from shared.jobspec import HardwarePreference
from shared.statuses import NodeState

MEBIBYTE: Final = 1024 * 1024


class Code(StrEnum):
    """Part of the API. From the job itself down to the nodes; the first that holds is told."""

    START_AWAITED = "start_awaited"
    BEGINS = "begins"
    RETRY_PAUSE = "retry_pause"
    PIPELINE_PAUSED = "pipeline_paused"
    NO_NODES = "no_nodes"
    NO_NODE_WITH_LABELS = "no_node_with_labels"
    NO_CARD = "no_card"
    NO_NODE_FITS = "no_node_fits"
    RUNNING_QUOTA = "running_quota"
    USER_RUNNING_QUOTA = "user_running_quota"
    TOO_MANY_FAILURES = "too_many_failures"
    CLUSTER_PAUSED = "cluster_paused"
    NODES_DRAINED = "nodes_drained"
    NODES_SET_ASIDE = "nodes_set_aside"
    NODES_SILENT = "nodes_silent"
    NODES_FULL = "nodes_full"
    IN_TURN = "in_turn"


@dataclass(frozen=True)
class Waiting:
    code: Code
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A node as placement sees it, whether or not it asks for work just now."""

    offer: Offer
    state: NodeState
    is_in_paused_cluster: bool
    is_to_reprobe: bool
    is_set_aside: bool
    is_silent: bool


def unschedulable(need: Need, sites: Sequence[Site]) -> Waiting | None:
    """Why no node of today could run this even if it did nothing else; None when one could."""
    here = [site.offer for site in sites if need.cluster_id in (None, site.offer.cluster_id)]
    where = f"in cluster {need.cluster_id}" if need.cluster_id else "yet"
    if not here:
        return Waiting(Code.NO_NODES, f"There is no node {where}.", {"cluster_id": need.cluster_id})
    labelled = [offer for offer in here if placement.suits(need, cluster_id=offer.cluster_id, labels=offer.labels)]
    if not labelled:
        worn = ", ".join(f"{key}={value}" for key, value in sorted(need.labels.items()))
        details = {"labels": dict(need.labels), "nodes": len(here)}
        return Waiting(
            Code.NO_NODE_WITH_LABELS, f"No node has the labels {worn}; there are {len(here)} without them.", details
        )
    if need.hardware is HardwarePreference.REQUIRE:
        lacking = _card_lacking(need, labelled)
        if lacking is not None:
            return lacking
    if any(placement.could_ever(need, offer) for offer in labelled):
        return None
    return _too_large(need, labelled)


def for_nodes(need: Need, sites: Iterable[Site]) -> Waiting:
    """What keeps the nodes that could run this from doing so now."""
    able = [site for site in sites if placement.could_ever(need, site.offer)]
    count = {"nodes": len(able)}
    open_to_work = [site for site in able if not site.is_in_paused_cluster]
    if not open_to_work:
        return Waiting(Code.CLUSTER_PAUSED, "The cluster is paused: nothing new starts in it.", count)
    active = [site for site in open_to_work if site.state is NodeState.ACTIVE and not site.is_to_reprobe]
    if not active:
        message = f"{_nodes(open_to_work)} could run it once resumed or probed: no new work goes there now."
        return Waiting(Code.NODES_DRAINED, message, count)
    trusted = [site for site in active if not site.is_set_aside]
    if not trusted:
        message = f"{_nodes(active)} could run it after a pause: what ran there before failed too often."
        return Waiting(Code.NODES_SET_ASIDE, message, count)
    heard_of = [site for site in trusted if not site.is_silent]
    if not heard_of:
        return Waiting(
            Code.NODES_SILENT, f"{_nodes(trusted)} could run it, but cannot be reached at the moment.", count
        )
    if not any(placement.grant(need, site.offer) for site in heard_of):
        return Waiting(Code.NODES_FULL, f"{_nodes(heard_of)} could run it as soon as there is room.", count)
    return Waiting(Code.IN_TURN, "There is room for it: it begins when its turn comes.", count)


def _card_lacking(need: Need, offers: Sequence[Offer]) -> Waiting | None:
    sessions = need.demand.nvenc_sessions
    if sessions == 0:
        return Waiting(Code.NO_CARD, "It requires hardware, and no card encodes what it asks for.", {"sessions": 0})
    most = max(offer.capacity.nvenc_sessions for offer in offers)
    if sessions <= most:
        return None
    message = f"It requires hardware for {sessions} renditions at once; the best card here encodes {most}."
    return Waiting(Code.NO_CARD, message, {"sessions": sessions, "most": most})


def _too_large(need: Need, offers: Sequence[Offer]) -> Waiting:
    """Names what is short on the node that comes nearest, the one with most room on its disk."""
    largest = max(offers, key=lambda offer: (offer.capacity.scratch, offer.capacity.memory))
    asked, whole = need.demand, largest.capacity
    short = [
        f"{_size(wanted)} of {name}, and the largest has {_size(there)}"
        for name, wanted, there in (("memory", asked.memory, whole.memory), ("disk", asked.scratch, whole.scratch))
        if wanted > there
    ]
    message = f"It is too large for every node: it takes {'; '.join(short) or 'more than any has of all at once'}."
    details = {
        "asked": {"memory": asked.memory, "scratch": asked.scratch},
        "largest": {"memory": whole.memory, "scratch": whole.scratch},
    }
    return Waiting(Code.NO_NODE_FITS, message, details)


def _nodes(sites: Sequence[Site]) -> str:
    return "One node" if len(sites) == 1 else f"{len(sites)} nodes"


def _size(amount: int) -> str:
    return f"{amount / MEBIBYTE:,.0f} MiB"
