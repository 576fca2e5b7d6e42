"""What operators order of nodes and clusters, and when the nodes hear of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.builders import a_capacity, eventually, finished
from tests.contract.api.service import CLUSTER, OUT, Caller, Node, Service


def kinds(orders: list[dict[str, Any]]) -> list[str]:
    return [order["type"] for order in orders]


class TestDraining:
    async def test_a_held_poll_is_told_at_once_and_the_next_ones_until_the_node_knows(
        self, operator: Caller, node: Node, service: Service
    ) -> None:
        for verb, knew, order in (("drain", False, "drain"), ("resume", True, "resume")):
            held = asyncio.create_task(node.orders(20, draining=knew))
            await eventually(lambda: service.held_polls)
            await operator.post(f"/v1/nodes/{node.id}/{verb}")
            async with asyncio.timeout(2):
                assert kinds(await held) == [order]
            assert kinds(await node.orders(0, draining=knew)) == [order], "the answer may have been lost"
            assert await node.orders(0, draining=not knew) == []

    async def test_what_runs_goes_on_and_the_node_is_drained_when_it_has_ended(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        await tenant.submit(pipeline)
        order = await node.take()
        drained = (await operator.post(f"/v1/nodes/{node.id}/drain")).json
        assert (drained["state"], drained["running"]) == ("Draining", 1)
        assert [verdict["verdict"] for verdict in (await node.beat(order.ref)).json["verdicts"]] == ["keep"]
        await tenant.submit(pipeline)
        assert await node.orders(0, draining=True) == []
        await node.stage(order.ref, OUT)
        await node.report(order.ref, finished())
        shown = (await operator.get(f"/v1/nodes/{node.id}")).json
        assert (shown["state"], shown["running"]) == ("Drained", 0)

    async def test_a_drained_node_is_drained_after_its_agent_has_started_anew(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        await operator.post(f"/v1/nodes/{node.id}/drain")
        assert (await node.hello("boot-2")).json["draining"] is True
        await tenant.submit(pipeline)
        assert await node.orders(0, draining=True) == []
        await operator.post(f"/v1/nodes/{node.id}/resume")
        assert kinds(await node.orders(5, draining=False)) == ["start_task"]


class TestReprobing:
    async def test_a_node_gets_no_work_from_the_order_until_its_next_hello(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        held = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        asked = await operator.post(f"/v1/nodes/{node.id}/reprobe")
        assert (asked.status, asked.json["is_to_reprobe"]) == (202, True)
        async with asyncio.timeout(2):
            assert kinds(await held) == ["reprobe"]
        await tenant.submit(pipeline)
        assert kinds(await node.orders(0)) == ["reprobe"], "the answer may have been lost"
        assert await node.orders(0.05, reprobing=True) == []
        assert (await node.beat()).json["reprobe"] is True
        node.capacity = a_capacity(threads=3)
        await node.hello()
        shown = (await operator.get(f"/v1/nodes/{node.id}")).json
        assert (shown["is_to_reprobe"], shown["facts"]["capacity"]["cpu_threads"]) == (False, 3)
        assert (await node.beat()).json["reprobe"] is False
        assert kinds(await node.orders(5)) == ["start_task"]

    async def test_a_poll_held_before_the_order_gets_no_work_after_it(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        held = asyncio.create_task(node.orders(20, reprobing=True))
        await eventually(lambda: service.held_polls)
        await operator.post(f"/v1/nodes/{node.id}/reprobe")
        await tenant.submit(pipeline)
        assert await held == []


class TestLabels:
    async def test_a_label_that_is_put_on_lets_a_waiting_job_begin(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.submit(pipeline, placement={"labels": {"disk": "ssd"}})
        assert await node.orders(0) == []
        held = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        changed = await operator.call("PATCH", f"/v1/nodes/{node.id}", {"labels": {"disk": "ssd", "site": "a"}})
        assert changed.json["labels"] == {"disk": "ssd", "site": "a"}
        assert await held == [], "it asks again, as what it wears now"
        assert kinds(await node.orders(5)) == ["start_task"]

    async def test_null_takes_a_label_off_and_what_is_not_named_stays(self, operator: Caller, node: Node) -> None:
        path = f"/v1/nodes/{node.id}"
        await operator.call("PATCH", path, {"name": "rack 4", "labels": {"disk": "ssd", "site": "a"}})
        changed = (await operator.call("PATCH", path, {"labels": {"disk": None}})).json
        assert (changed["name"], changed["labels"]) == ("rack 4", {"site": "a"})

    async def test_labels_are_as_strict_here_as_in_jobs(self, operator: Caller, node: Node) -> None:
        answer = await operator.call("PATCH", f"/v1/nodes/{node.id}", {"labels": {"a b": "c"}})
        assert answer.code == "invalid_field"


class TestRevoking:
    async def test_what_a_revoked_node_ran_is_given_to_another_at_once(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id = await tenant.submit(pipeline)
        lost = await node.take()
        await node.stage(lost.ref, OUT)
        other = await service.node()
        assert (await operator.call("DELETE", f"/v1/nodes/{node.id}")).status == 204
        again = await other.start()
        assert (again.job_id, again.ref.attempt) == (job_id, 2)
        assert (await node.beat(lost.ref)).code == "unauthenticated"
        assert (await operator.get(f"/v1/nodes/{node.id}")).json["state"] == "Revoked"

    @pytest.mark.parametrize("verb", ["drain", "resume", "reprobe"])
    async def test_nothing_can_be_ordered_of_a_revoked_node(self, operator: Caller, node: Node, verb: str) -> None:
        await operator.call("DELETE", f"/v1/nodes/{node.id}")
        assert (await operator.post(f"/v1/nodes/{node.id}/{verb}")).code == "not_found"
        assert (await operator.call("PATCH", f"/v1/nodes/{node.id}", {"name": "x"})).code == "not_found"
        assert (await operator.call("DELETE", f"/v1/nodes/{node.id}")).code == "not_found"


class TestClusters:
    async def test_nothing_starts_in_a_paused_cluster_and_all_that_waits_when_it_resumes(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        assert (await operator.post(f"/v1/clusters/{CLUSTER}/pause")).json["status"] == "Paused"
        await tenant.submit(pipeline)
        held = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        assert (await operator.post(f"/v1/clusters/{CLUSTER}/resume")).json["status"] == "Active"
        async with asyncio.timeout(2):
            assert kinds(await held) == ["start_task"]

    async def test_what_runs_in_a_cluster_that_is_paused_goes_on(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        await operator.post(f"/v1/clusters/{CLUSTER}/pause")
        await node.stage(order.ref, OUT)
        await node.report(order.ref, finished())
        async with asyncio.timeout(5):
            while await tenant.status(job_id) != "Complete":  # noqa: ASYNC110 (a server is asked)
                await asyncio.sleep(0.01)
