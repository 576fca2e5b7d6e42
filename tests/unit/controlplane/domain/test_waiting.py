"""Why no node runs a job, from what is asked and what there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.domain.placement import Need, Offer
from controlplane.domain.waiting import Code, Site, for_nodes, unschedulable
from shared.capacity import Demand, remaining
from shared.ids import BootId, ClusterId, NodeId
from shared.jobspec import HardwarePreference
from shared.statuses import NodeState
from tests.builders import GIB, a_capacity

PARIS, LONDON = ClusterId("paris-1"), ClusterId("london-1")


def a_site(name: str = "one", *, threads: int = 8, sessions: int = 0, busy: int = 0, **changes: Any) -> Site:
    capacity = a_capacity(threads=threads, sessions=sessions)
    free = remaining(capacity, [Demand(cpu_threads=busy, memory=0, scratch=0)])
    offer = Offer(NodeId(name), BootId("boot"), PARIS, {"disk": "ssd"}, capacity, free)
    told = dict.fromkeys(("is_in_paused_cluster", "is_to_reprobe", "is_set_aside", "is_silent"), False)
    return Site(offer, **{"state": NodeState.ACTIVE} | told | changes)


def a_need(**changes: Any) -> Need:
    room = {"cpu_threads": 2, "memory": GIB, "scratch": GIB, "nvenc_sessions": 1}
    demand = Demand(**{key: changes.pop(key, value) for key, value in room.items()})
    kind = {"cluster_id": None, "labels": {}, "hardware": HardwarePreference.PREFER}
    return Need(**kind | changes, demand=demand)


@pytest.mark.parametrize(
    ("wishes", "code", "told"),
    [
        ({"cluster_id": LONDON}, Code.NO_NODES, "in cluster london-1"),
        ({"labels": {"disk": "hdd", "site": "a"}}, Code.NO_NODE_WITH_LABELS, "disk=hdd, site=a"),
        ({"hardware": HardwarePreference.REQUIRE}, Code.NO_CARD, "the best card here encodes 0"),
        ({"hardware": HardwarePreference.REQUIRE, "nvenc_sessions": 0}, Code.NO_CARD, "no card encodes"),
        ({"memory": 17 * GIB}, Code.NO_NODE_FITS, "17,408 MiB of memory, and the largest has 16,384 MiB"),
        ({"scratch": 101 * GIB}, Code.NO_NODE_FITS, "103,424 MiB of disk, and the largest has 102,400 MiB"),
    ],
)
def test_what_no_node_of_today_could_run_is_told_with_its_reason(wishes: Any, code: Code, told: str) -> None:
    found = unschedulable(a_need(**wishes), [a_site(), a_site("two", state=NodeState.DRAINING)])
    assert found is not None
    assert (found.code, told in found.message) == (code, True)


def test_without_any_node_that_is_what_is_told() -> None:
    found = unschedulable(a_need(), [])
    assert found is not None
    assert found.code is Code.NO_NODES


def test_a_node_that_is_busy_drained_or_silent_could_run_it_one_day() -> None:
    for site in (a_site(busy=8), a_site(state=NodeState.DRAINING), a_site(is_silent=True)):
        assert unschedulable(a_need(cpu_threads=60), [site]) is None


def test_more_renditions_than_any_one_card_encodes_at_once_are_told_as_such() -> None:
    need = a_need(hardware=HardwarePreference.REQUIRE, nvenc_sessions=4)
    found = unschedulable(need, [a_site(sessions=3)])
    assert found is not None
    assert (found.code, found.details) == (Code.NO_CARD, {"sessions": 4, "most": 3})


@pytest.mark.parametrize(
    ("site", "code"),
    [
        (a_site(is_in_paused_cluster=True, state=NodeState.DRAINING), Code.CLUSTER_PAUSED),
        (a_site(state=NodeState.DRAINING, is_silent=True), Code.NODES_DRAINED),
        (a_site(is_to_reprobe=True), Code.NODES_DRAINED),
        (a_site(is_set_aside=True, is_silent=True), Code.NODES_SET_ASIDE),
        (a_site(is_silent=True, busy=8), Code.NODES_SILENT),
        (a_site(busy=7), Code.NODES_FULL),
        (a_site(), Code.IN_TURN),
    ],
)
def test_of_several_reasons_the_first_that_would_have_to_end_is_told(site: Site, code: Code) -> None:
    too_small = replace(a_site("small"), offer=replace(a_site().offer, cluster_id=LONDON))
    found = for_nodes(a_need(cluster_id=PARIS), [site, too_small])
    assert (found.code, found.details) == (code, {"nodes": 1})


def test_tenants_learn_no_names_of_nodes() -> None:
    reasons = [for_nodes(a_need(), [a_site("nd_secret", **state)]) for state in ({}, {"busy": 8}, {"is_silent": True})]
    reasons += [found for found in [unschedulable(a_need(scratch=1 << 60), [a_site("nd_secret")])] if found]
    assert all("nd_secret" not in f"{found.message} {found.details}" for found in reasons)


def test_every_code_is_explained() -> None:
    explained = (Path(__file__).parents[4] / "docs" / "scheduling.md").read_text()
    assert [code for code in Code if f"| `{code}` |" not in explained] == []
