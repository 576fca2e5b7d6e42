"""Nodes and clusters as operators order them, and the fleet as those who wait see it."""

from __future__ import annotations

import pytest

from controlplane.domain.waiting import Code, for_nodes, unschedulable
from controlplane.store.operations import dispatch, fleet, identity, jobs, resources
from controlplane.store.operations.needs import need_from_json
from shared.capacity import Demand
from shared.errors import NotFound
from shared.ids import BootId, ClusterId, NodeId
from shared.statuses import ClusterStatus, NodeState, TaskState
from tests.builders import a_capacity, finished, free_of
from tests.contract.store.world import CLUSTER, LEASE_MS, TENANT, World


async def test_a_draining_node_is_drained_once_it_holds_nothing(world: World) -> None:
    node_id = await world.add_node()
    _, grant = await world.a_running_job()
    await world.store.write(identity.set_node_state(node_id, NodeState.DRAINING))
    shown = await world.store.read(identity.node_at_work(node_id))
    assert (shown.shown_state, shown.running) == (NodeState.DRAINING, 1)
    await world.report(grant, finished())
    shown = await world.store.read(identity.node_at_work(node_id))
    assert (shown.shown_state, shown.state, shown.running) == (NodeState.DRAINED, NodeState.DRAINING, 0)


async def test_nodes_are_listed_page_by_page_all_of_them_or_a_cluster_s(world: World) -> None:
    london = ClusterId("london-1")
    await world.store.write(resources.add_cluster(london, "", world.now))
    for name, cluster_id in (("a", CLUSTER), ("b", london), ("c", CLUSTER)):
        await world.add_node(name, cluster_id=cluster_id)
    assert [node.id for node in await world.store.read(identity.nodes(None, "", 2))] == ["nd_a", "nd_b"]
    assert [node.id for node in await world.store.read(identity.nodes(None, "nd_b", 2))] == ["nd_c"]
    assert [node.id for node in await world.store.read(identity.nodes(CLUSTER, "nd_a", 2))] == ["nd_c"]


async def test_a_node_that_is_to_probe_again_gets_nothing_until_it_says_hello(world: World) -> None:
    node_id = await world.add_node()
    await world.submit()
    for _ in range(2):
        await world.store.write(identity.ask_to_reprobe(node_id, world.now))
    assert await world.grant() == []
    heard = await world.store.write(dispatch.beat(node_id, BootId("boot-1-of-one"), "{}", (), now=world.now, lease=1))
    assert (heard.state, heard.reprobe) == (NodeState.ACTIVE, True)
    await world.hello(node_id, BootId("boot-1-of-one"))
    assert len(await world.grant()) == 1


async def test_labels_are_put_on_and_taken_off_and_a_name_is_kept_unless_it_is_given(world: World) -> None:
    node_id = await world.add_node(labels={"disk": "ssd", "site": "a"})
    await world.store.write(identity.describe_node(node_id, name=None, labels={"disk": None, "gpu": "l4"}))
    shown = await world.store.read(identity.node_at_work(node_id))
    assert (shown.name, shown.labels) == ("one", '{"gpu":"l4","site":"a"}')


async def test_what_a_revoked_node_held_waits_again_and_costs_no_attempt(world: World) -> None:
    node_id = await world.add_node()
    job_id, grant = await world.a_running_job()
    (lost,) = await world.store.write(dispatch.revoke(node_id, world.now))
    assert (lost.task_id, lost.attempt) == (grant.ref.task_id, 1)
    task = await world.task(job_id)
    assert (task.state, task.spent) == (TaskState.WAITING, 0)
    await world.assert_counted()
    with pytest.raises(NotFound):
        await world.store.write(dispatch.revoke(node_id, world.now))
    with pytest.raises(NotFound):
        await world.store.write(identity.ask_to_reprobe(node_id, world.now))


async def test_what_was_to_stop_on_a_revoked_node_has_stopped(world: World) -> None:
    node_id = await world.add_node()
    job_id, _ = await world.a_running_job()
    await world.store.write(jobs.stop(TENANT, job_id, world.now))
    await world.store.write(dispatch.revoke(node_id, world.now))
    assert (await world.job(job_id)).status == "Canceled"


async def test_a_paused_cluster_gets_nothing_and_the_others_all_the_same(world: World) -> None:
    london = ClusterId("london-1")
    await world.store.write(resources.add_cluster(london, "", world.now))
    await world.add_node("here")
    there = await world.add_node("there", cluster_id=london)
    await world.store.write(resources.set_cluster_status(CLUSTER, ClusterStatus.PAUSED))
    await world.submit(cluster_id=CLUSTER)
    await world.submit()
    (grant,) = await world.grant()
    assert grant.node_id == there
    await world.store.write(resources.set_cluster_status(CLUSTER, ClusterStatus.ACTIVE))
    assert len(await world.grant()) == 1


async def test_the_fleet_is_seen_with_what_is_left_of_each_node(world: World) -> None:
    capacity = a_capacity(threads=4)
    node_id = await world.add_node(capacity=capacity, labels={"disk": "ssd"})
    await world.store.write(identity.set_node_state(await world.add_node("gone"), NodeState.REVOKED))
    job_id = await world.submit(demand=Demand(cpu_threads=3, memory=1, scratch=1))
    need = need_from_json((await world.job(job_id)).need)

    async def seen() -> tuple[int, Code]:
        (site,) = await world.store.read(fleet.sites(world.now - LEASE_MS))
        assert (site.offer.node_id, site.offer.labels) == (node_id, {"disk": "ssd"})
        assert unschedulable(need, [site]) is None
        return site.offer.free.cpu_threads, for_nodes(need, [site]).code

    assert await seen() == (4, Code.IN_TURN)
    await world.grant()
    assert await seen() == (1, Code.NODES_FULL)
    told = free_of(capacity).model_copy(update={"cpu_threads": 0}).model_dump_json()
    await world.store.write(dispatch.beat(node_id, BootId("boot-1-of-one"), told, (), now=world.now, lease=1))
    assert (await seen())[0] == 0
    world.clock.pass_seconds(LEASE_MS / 1000 + 1)
    assert (await seen())[1] is Code.NODES_SILENT


async def test_a_node_that_never_said_hello_is_no_part_of_the_fleet(world: World) -> None:
    await world.store.write(identity.add_join_token("t", CLUSTER, "{}", now=world.now, expires_at=world.now + 1))
    await world.store.write(identity.enrol("t", NodeId("nd_new"), "new", "", world.now))
    assert await world.store.read(fleet.sites(0)) == []
