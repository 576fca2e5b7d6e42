"""Inputs that failed again and again: jobs that name them fail without a node having been asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controlplane.domain.faulty import TIMES
from shared.failures import Cause, Failure, FailureCode, FailureReason
from shared.protocol import Failed, Finished, OutputResult
from shared.statuses import JobStatus
from tests.contract.api.service import Caller, Node, Service, serving
from tests.fields import shows

NOT_MEDIA = Failure(cause=Cause.INPUT, code=FailureCode.BAD_INPUT_FORMAT, message="It is no movie.")


@pytest.fixture(autouse=True)
async def uploaded(tenant: Caller, pipeline: str) -> None:
    assert (await tenant.upload("in.mp4", b"no movie")).status == 201


async def fails(tenant: Caller, node: Node, pipeline: str, failure: Failure = NOT_MEDIA) -> str:
    job_id = await tenant.submit(pipeline)
    order = await node.take()
    await node.report(order.ref, Failed(failure=failure))
    assert await tenant.status(job_id) == "Error"
    return job_id


async def read(tenant: Caller, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = (await tenant.get(f"/v1/jobs/{job_id}")).json
    return job


async def is_tried(tenant: Caller, pipeline: str) -> bool:
    job_id = await tenant.submit(pipeline)
    status = await tenant.status(job_id)
    if status == "Submitted":
        await tenant.post(f"/v1/jobs/{job_id}/cancel")
    return status == "Submitted"


@shows("status_detail")
async def test_after_three_failures_for_one_cause_a_job_fails_when_it_is_submitted(
    tenant: Caller, node: Node, pipeline: str
) -> None:
    for _ in range(TIMES):
        await fails(tenant, node, pipeline)
    job = await read(tenant, await tenant.submit(pipeline))
    assert job["status"] == "Error"
    assert (job["status_detail"]["code"], job["status_detail"]["reason"]) == (4000, "failed_before")
    assert "It is no movie." in job["status_detail"]["message"]
    assert [event["type"] for event in (await tenant.get(f"/v1/jobs/{job['id']}/events")).json["items"]] == [
        "submitted",
        "error",
    ]
    assert await node.orders(wait=0.05) == []
    assert (await tenant.get("/v1/quotas")).json["queued_jobs"]["used"] == 0


async def test_so_does_a_retry(tenant: Caller, node: Node, pipeline: str) -> None:
    job_ids = [await fails(tenant, node, pipeline) for _ in range(TIMES)]
    again = await tenant.post(f"/v1/jobs/{job_ids[0]}/retry", {})
    assert (again.status, again.json["status"], again.json["retry_of"]) == (201, "Error", job_ids[0])
    many = await tenant.post("/v1/jobs/retry", {"failed_since": "2025-01-01T00:00:00Z"})
    assert {await tenant.status(made["id"]) for made in many.json["items"]} == {"Error"}


async def test_an_hour_later_it_is_tried_again(service: Service, tenant: Caller, node: Node, pipeline: str) -> None:
    for _ in range(TIMES):
        await fails(tenant, node, pipeline)
    service.clock.pass_seconds(3500)
    assert not await is_tried(tenant, pipeline)
    service.clock.pass_seconds(101)
    assert await is_tried(tenant, pipeline)


async def test_what_was_uploaded_anew_is_another_input(tenant: Caller, node: Node, pipeline: str) -> None:
    for _ in range(TIMES):
        await fails(tenant, node, pipeline)
    await tenant.upload("in.mp4", b"a movie, this time")
    assert await is_tried(tenant, pipeline)


async def test_failures_of_several_kinds_are_not_one_cause(tenant: Caller, node: Node, pipeline: str) -> None:
    other = NOT_MEDIA.model_copy(update={"code": FailureCode.INPUT_UNHANDLED})
    for failure in (NOT_MEDIA, other, NOT_MEDIA):
        await fails(tenant, node, pipeline, failure)
    assert await is_tried(tenant, pipeline)


async def test_what_lies_in_the_preset_or_the_moment_is_no_fault_of_the_input(
    tenant: Caller, node: Node, pipeline: str
) -> None:
    for code in (FailureCode.PRESET_MISMATCH, FailureCode.INPUT_MISSING):
        for _ in range(TIMES + 1):
            await fails(tenant, node, pipeline, Failure(cause=Cause.INPUT, code=code, message="no"))
    assert await is_tried(tenant, pipeline)


async def test_what_a_job_says_wrongly_of_an_input_is_not_held_against_the_next(
    tenant: Caller, node: Node, pipeline: str
) -> None:
    misread = NOT_MEDIA.model_copy(update={"reason": FailureReason.MISDESCRIBED})
    for _ in range(TIMES + 1):
        await fails(tenant, node, pipeline, misread)
    assert await is_tried(tenant, pipeline)


async def test_an_input_that_is_read_and_makes_nothing_counts_too(tenant: Caller, node: Node, pipeline: str) -> None:
    for _ in range(TIMES):
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        output = OutputResult(index=0, status=JobStatus.ERROR, failure=NOT_MEDIA)
        await node.report(order.ref, Finished(inputs=(), outputs=(output,), encode_seconds=0.1))
        while await tenant.status(job_id) != "Error":
            await node.poll()
    await is_tried(tenant, pipeline)  # once more: it shows as failed a moment before it is learned from
    assert not await is_tried(tenant, pipeline)


async def test_another_tenant_with_an_input_of_that_name_is_not_concerned(
    service: Service, tenant: Caller, node: Node, pipeline: str
) -> None:
    for _ in range(TIMES):
        await fails(tenant, node, pipeline)
    stranger = await service.tenant("stranger")
    theirs = await stranger.pipeline()
    await stranger.upload("in.mp4", b"no movie")
    assert await is_tried(stranger, theirs)


async def test_an_operator_may_have_everything_tried(tmp_path: Path) -> None:
    async with serving(tmp_path / "patient", refuse_inputs_for=0) as service:
        tenant, node = await service.tenant(), await service.node()
        pipeline = await tenant.pipeline()
        await tenant.upload("in.mp4", b"no movie")
        for _ in range(TIMES + 1):
            await fails(tenant, node, pipeline)


async def test_what_ended_the_agents_of_two_nodes_is_given_to_no_third(
    service: Service, tenant: Caller, pipeline: str
) -> None:
    job_id = await tenant.submit(pipeline)
    for _ in range(2):
        node = await service.node()
        order = await node.take()
        await node.dies_of(order.ref)
    assert (await read(tenant, job_id))["status_detail"]["code"] == 9002
    job = await read(tenant, await tenant.submit(pipeline))
    assert (job["status"], job["status_detail"]["reason"]) == ("Error", "failed_before")
