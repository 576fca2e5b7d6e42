"""A tenant of whose jobs too many fail is told why the next ones wait, and operators see it and end it."""

from __future__ import annotations

from shared.failures import Cause, Failure, FailureCode
from shared.protocol import Failed
from tests.contract.api.service import Caller, Node

BROKEN = Failed(failure=Failure(cause=Cause.INPUT, code=FailureCode.INPUT_UNSUPPORTED, message="It is broken."))


async def test_one_job_at_a_time_until_an_operator_resumes_the_tenant(
    operator: Caller, tenant: Caller, node: Node, pipeline: str
) -> None:
    for _ in range(20):
        await tenant.submit(pipeline)
        await node.report((await node.take()).ref, BROKEN)
    (doubted,) = (await operator.get("/v1/tenants")).json["items"]
    assert doubted["is_doubted"]
    await tenant.submit(pipeline)
    await node.take()
    waiting = (await tenant.get(f"/v1/jobs/{await tenant.submit(pipeline)}")).json["waiting_because"]
    assert (waiting["code"], waiting["details"]) == ("too_many_failures", {})
    assert await node.orders(wait=0.05) == []
    resumed = await operator.post(f"/v1/tenants/{doubted['id']}/resume")
    assert not resumed.json["is_doubted"]
    assert len(await node.orders(wait=5)) == 1
