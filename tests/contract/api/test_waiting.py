"""Why a job waits, as its tenant reads it."""

from __future__ import annotations

from typing import Any

from controlplane.services.waiting import LOOK_EVERY
from shared.protocol import Failed
from tests.builders import a_capacity, a_failure
from tests.contract.api.service import CLUSTER, Caller, Node, Service, a_document


async def code_of(tenant: Caller, job_id: str) -> str | None:
    waiting = (await tenant.get(f"/v1/jobs/{job_id}")).json["waiting_because"]
    return waiting and waiting["code"]


async def submitted(tenant: Caller, pipeline: str, **changes: Any) -> dict[str, Any]:
    """What the answer to the submission itself says of waiting."""
    made = await tenant.post("/v1/jobs", a_document(pipeline, **changes))
    assert made.status == 201
    waiting: dict[str, Any] = made.json["waiting_because"]
    return waiting


class TestAtSubmission:
    async def test_a_job_that_no_node_could_ever_run_is_told_so_in_the_answer_itself(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        labels = await submitted(tenant, pipeline, placement={"labels": {"disk": "ssd"}})
        assert (labels["code"], labels["details"]) == ("no_node_with_labels", {"labels": {"disk": "ssd"}, "nodes": 1})
        hardware = await submitted(tenant, pipeline, placement={"hardware": "require"})
        assert hardware["code"] == "no_card"

    async def test_it_begins_all_the_same_when_such_a_node_joins(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id = await tenant.submit(pipeline, placement={"hardware": "require"})
        assert await code_of(tenant, job_id) == "no_card"
        with_card = await service.node(a_capacity(sessions=2))
        assert await code_of(tenant, job_id) == "in_turn"
        assert (await with_card.start()).job_id == job_id

    async def test_a_cluster_without_nodes_is_named(self, operator: Caller, tenant: Caller, pipeline: str) -> None:
        await operator.post("/v1/clusters", {"id": "empty-1"})
        waiting = await submitted(tenant, pipeline, placement={"cluster_id": "empty-1"})
        assert (waiting["code"], waiting["message"]) == ("no_nodes", "There is no node in cluster empty-1.")


class TestLater:
    async def test_every_state_of_the_fleet_is_told(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id = await tenant.submit(pipeline)
        assert await code_of(tenant, job_id) == "in_turn"
        for path, code in (
            (f"/v1/nodes/{node.id}/drain", "nodes_drained"),
            (f"/v1/clusters/{CLUSTER}/pause", "cluster_paused"),
        ):
            await operator.post(path)
            assert await code_of(tenant, job_id) == code
            await operator.post(path.replace("drain", "resume").replace("pause", "resume"))
            assert await code_of(tenant, job_id) == "in_turn"
        service.clock.pass_seconds(61)
        assert await code_of(tenant, job_id) == "nodes_silent"

    async def test_a_full_fleet_is_told_and_the_list_says_the_same(
        self, tenant: Caller, pipeline: str, service: Service
    ) -> None:
        node = await service.node(a_capacity(threads=2))
        await tenant.submit(pipeline)
        order = await node.take()
        waiting = await tenant.submit(pipeline)
        service.clock.pass_seconds(LOOK_EVERY)
        assert await code_of(tenant, order.job_id) is None
        assert await code_of(tenant, waiting) == "nodes_full"
        listed = {job["id"]: job["waiting_because"] for job in (await tenant.get("/v1/jobs")).json["items"]}
        assert (listed[order.job_id], listed[waiting]["code"]) == (None, "nodes_full")

    async def test_what_the_job_itself_waits_for_comes_first(self, tenant: Caller, pipeline: str, node: Node) -> None:
        held = await tenant.submit(pipeline, start="manual")
        assert await code_of(tenant, held) == "start_awaited"
        job_id = await tenant.submit(pipeline)
        order = await node.start()
        await node.beat()  # is written after the grant
        assert await code_of(tenant, job_id) == "begins"
        await node.accept(order.ref)
        await node.report(order.ref, Failed(failure=a_failure()))
        paused = (await tenant.get(f"/v1/jobs/{job_id}")).json["waiting_because"]
        assert (paused["code"], paused["details"]["seconds"] > 0) == ("retry_pause", True)
        await tenant.post(f"/v1/pipelines/{pipeline}/pause")
        other = await tenant.submit(pipeline)
        assert await code_of(tenant, other) == "pipeline_paused"
