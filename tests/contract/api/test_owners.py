"""What the owner of a node can ask and say with the node's own credential: the real client, the real service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.client import ControlPlane
from agent.refusals import Revoked
from controlplane.services.buckets import CHECK_LIFETIME, CHECK_SIZE
from shared.errors import ErrorCode, TranscoderError
from shared.protocol import HandedBack
from shared.statuses import NodeState
from tests.clock import FakeClock
from tests.contract.api.service import Caller, Node, Service


@pytest.fixture
async def owner(service: Service, node: Node) -> AsyncIterator[ControlPlane]:
    async with ControlPlane(service.url, node.credential, clock=FakeClock(service.clock.now_ms())) as client:
        yield client


async def test_a_check_tells_who_the_node_is_and_touches_nothing(owner: ControlPlane, node: Node) -> None:
    told = await owner.check()
    assert (told.node_id, told.cluster_id, told.state, told.running) == (node.id, "paris-1", "Active", 0)
    assert (await node.poll()).status == 200  # the agent's own start is still the one that counts


async def test_labels_are_told_whoever_gave_them(service: Service) -> None:
    node = await service.node(labels={"site": "roof"})
    async with ControlPlane(service.url, node.credential) as client:
        assert (await client.check()).labels["site"] == "roof"


@pytest.mark.parametrize("ahead", [0.0, 7.5, -3600.0])
async def test_clocks_that_differ_are_told_by_how_much(service: Service, owner: ControlPlane, ahead: float) -> None:
    service.clock.set_by(ahead)
    await owner.check()
    assert owner.clock_skew == pytest.approx(ahead)


async def test_the_link_takes_a_few_bytes_and_gives_them_back(owner: ControlPlane) -> None:
    link = (await owner.check()).link
    for content in (b"first", b"second and longer"):
        await owner.put(link, content)
        assert await owner.get(link, CHECK_SIZE) == content


async def test_the_link_takes_no_more_than_it_says(owner: ControlPlane) -> None:
    told = await owner.check()
    assert told.link_size == CHECK_SIZE
    with pytest.raises(TranscoderError) as refused:
        await owner.put(told.link, bytes(CHECK_SIZE + 1))
    assert refused.value.code is ErrorCode.TOO_LARGE


async def test_the_link_ends_soon(service: Service, owner: ControlPlane) -> None:
    link = (await owner.check()).link
    service.clock.pass_seconds(CHECK_LIFETIME)
    with pytest.raises(TranscoderError) as refused:
        await owner.put(link, b"late")
    assert refused.value.code is ErrorCode.LINK_REFUSED


async def test_the_link_leads_to_nobody_elses_object(service: Service, owner: ControlPlane, tenant: Caller) -> None:
    await tenant.pipeline()
    await tenant.upload("film.mp4", b"theirs")
    link = (await owner.check()).link
    elsewhere = f"{link.rpartition('/')[0]}/film.mp4"
    with pytest.raises(TranscoderError) as refused:
        await owner.get(elsewhere, 1)
    assert refused.value.code is ErrorCode.LINK_REFUSED


async def test_an_owners_drain_is_seen_by_operators_and_outlives_a_restart(
    service: Service, owner: ControlPlane, node: Node, operator: Caller
) -> None:
    assert await owner.set_draining(True) is NodeState.DRAINED
    assert (await operator.get(f"/v1/nodes/{node.id}")).json["state"].startswith("Drain")
    assert (await node.hello("boot-2")).json["draining"] is True
    assert (await owner.check()).state is NodeState.DRAINED
    await owner.set_draining(False)
    assert (await node.hello("boot-3")).json["draining"] is False


async def test_a_drained_node_is_given_no_work(owner: ControlPlane, node: Node, tenant: Caller, pipeline: str) -> None:
    await owner.set_draining(True)
    await tenant.submit(pipeline)
    answer = await node.poll()
    assert [order for order in answer.json["orders"] if order["type"] == "start_task"] == []
    await owner.set_draining(False)
    assert await node.start()


async def test_a_node_is_drained_when_the_end_of_everything_was_heard(
    owner: ControlPlane, node: Node, tenant: Caller, pipeline: str
) -> None:
    await tenant.submit(pipeline)
    order = await node.take()
    assert await owner.set_draining(True) is NodeState.DRAINING
    await node.report(order.ref, HandedBack(reason="The node shuts down."))
    assert (await owner.check()).state is NodeState.DRAINED


async def test_a_revoked_node_asks_and_says_nothing(owner: ControlPlane, node: Node, operator: Caller) -> None:
    await operator.call("DELETE", f"/v1/nodes/{node.id}")
    with pytest.raises(Revoked):
        await owner.check()
    with pytest.raises(Revoked):
        await owner.set_draining(False)


async def test_a_hello_tells_the_time(service: Service, node: Node) -> None:
    assert (await node.hello("boot-2")).json["server_time_ms"] == service.clock.now_ms()
