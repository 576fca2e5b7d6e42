"""A tenant that operators suspend."""

from __future__ import annotations

import asyncio

from tests.builders import eventually
from tests.contract.api.service import Caller, Node, Service


async def test_no_key_of_a_suspended_tenant_is_let_in_until_it_is_resumed(
    service: Service, operator: Caller, tenant: Caller
) -> None:
    path = f"/v1/tenants/{tenant.tenant_id}"
    assert (await tenant.get("/v1/jobs")).status == 200
    suspended = await operator.post(f"{path}/suspend")
    assert suspended.json["suspended_at"] is not None
    for method, route in (("GET", "/v1/jobs"), ("GET", "/v1/jobs/never"), ("POST", "/v1/jobs"), ("GET", "/v1/nodes")):
        assert (await tenant.call(method, route)).fault == (403, "tenant_suspended", None)
    stranger = await service.tenant("stranger")
    assert (await stranger.get("/v1/jobs")).status == 200
    assert (await operator.post(f"{path}/suspend")).json == suspended.json
    assert (await operator.post(f"{path}/resume")).json["suspended_at"] is None
    assert (await tenant.get("/v1/jobs")).status == 200


async def test_its_queued_jobs_wait_and_its_running_ones_go_on(
    operator: Caller, tenant: Caller, pipeline: str, node: Node
) -> None:
    running = await tenant.submit(pipeline)
    order = await node.take()
    queued = await tenant.submit(pipeline)
    await operator.post(f"/v1/tenants/{tenant.tenant_id}/suspend")
    assert (await node.beat(order.ref)).json["verdicts"][0]["verdict"] == "keep"
    assert await node.orders(wait=0.2) == []
    await operator.post(f"/v1/tenants/{tenant.tenant_id}/resume")
    assert (await node.start()).job_id == queued
    assert await tenant.status(running) == "Progressing"


async def test_resuming_wakes_the_nodes_that_wait(
    service: Service, operator: Caller, tenant: Caller, pipeline: str, node: Node
) -> None:
    job_id = await tenant.submit(pipeline, start="manual")
    await tenant.post(f"/v1/jobs/{job_id}/start")
    await operator.post(f"/v1/tenants/{tenant.tenant_id}/suspend")
    poll = asyncio.create_task(node.start(20))
    await eventually(lambda: service.held_polls)
    await operator.post(f"/v1/tenants/{tenant.tenant_id}/resume")
    assert (await poll).job_id == job_id


async def test_a_wrong_key_of_a_suspended_tenant_learns_nothing(operator: Caller, tenant: Caller) -> None:
    await operator.post(f"/v1/tenants/{tenant.tenant_id}/suspend")
    made = await operator.post(f"/v1/tenants/{tenant.tenant_id}/keys", {})
    assert made.status == 201
    parts = tenant.key.split("_")
    parts[2] = "0" * 64
    answer = await tenant.service.call("GET", "/v1/jobs", key="_".join(parts))
    assert answer.code == "unauthenticated"


async def test_only_operators_suspend(tenant: Caller) -> None:
    for verb in ("suspend", "resume"):
        assert (await tenant.post(f"/v1/tenants/{tenant.tenant_id}/{verb}")).code == "forbidden"
