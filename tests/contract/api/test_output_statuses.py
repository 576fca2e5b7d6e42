"""The status of each output while its job runs."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from shared.failures import Cause, FailureCode
from shared.protocol import AttemptProgress, AttemptRef, BeatRequest, OutputProgress, Progress, ProgressRequest
from shared.statuses import JobStatus, Phase
from tests.builders import a_failure, free_of
from tests.contract.api.service import Caller, Node, a_document
from tests.contract.api.test_jobs import watching
from tests.fields import shows

State = Literal[JobStatus.PROGRESSING, JobStatus.COMPLETE, JobStatus.ERROR]
FAILURE = a_failure(Cause.INPUT).model_copy(update={"code": FailureCode.WATERMARK_UNREADABLE})


def three() -> list[dict[str, Any]]:
    (output,) = a_document("")["outputs"]
    return [output | {"key": f"{number}.mp4"} for number in range(3)]


def state(index: int, status: State) -> OutputProgress:
    return OutputProgress(index=index, status=status, failure=FAILURE if status is JobStatus.ERROR else None)


async def tell(node: Node, ref: AttemptRef, *outputs: OutputProgress, by: str = "progress") -> None:
    progress = Progress(phase=Phase.ENCODING, percent=30, outputs=outputs)
    told = (AttemptProgress(ref=ref, progress=progress),)
    if by == "progress":
        await node.say("progress", ProgressRequest(boot_id=node.boot_id, attempts=told))
    else:
        await node.say("beat", BeatRequest(boot_id=node.boot_id, free=free_of(node.capacity), attempts=told))


async def statuses(tenant: Caller, job_id: str) -> list[str]:
    return [output["status"] for output in (await tenant.get(f"/v1/jobs/{job_id}")).json["outputs"]]


async def test_all_wait_with_their_job_and_the_first_begins_with_it(tenant: Caller, pipeline: str, node: Node) -> None:
    job_id = await tenant.submit(pipeline, outputs=three())
    assert await statuses(tenant, job_id) == ["Submitted"] * 3
    order = await node.start()
    assert await statuses(tenant, job_id) == ["Submitted"] * 3
    await node.accept(order.ref)
    assert await statuses(tenant, job_id) == ["Progressing", "Submitted", "Submitted"]


@shows("outputs[].status", "outputs[].status_detail")
@pytest.mark.parametrize("by", ["progress", "beat"])
async def test_each_is_as_its_node_says_while_the_job_goes_on(
    tenant: Caller, pipeline: str, node: Node, by: str
) -> None:
    job_id = await tenant.submit(pipeline, outputs=three())
    ref = (await node.take()).ref
    await tell(node, ref, state(0, JobStatus.ERROR), state(1, JobStatus.PROGRESSING), by=by)
    job = (await tenant.get(f"/v1/jobs/{job_id}")).json
    assert job["status"] == "Progressing"
    assert [output["status"] for output in job["outputs"]] == ["Error", "Progressing", "Submitted"]
    assert [output["status_detail"] and output["status_detail"]["code"] for output in job["outputs"]] == [
        4003,
        None,
        None,
    ]
    await tell(node, ref, state(0, JobStatus.ERROR), state(1, JobStatus.COMPLETE), state(2, JobStatus.PROGRESSING))
    assert await statuses(tenant, job_id) == ["Error", "Complete", "Progressing"]


async def test_the_only_output_of_a_job_is_as_its_job_is(tenant: Caller, pipeline: str, node: Node) -> None:
    job_id = await tenant.submit(pipeline)
    ref = (await node.take()).ref
    await tell(node, ref, state(0, JobStatus.COMPLETE))
    assert await statuses(tenant, job_id) == ["Progressing"], "its objects are not there yet"


async def test_an_attempt_that_is_lost_begins_them_anew(tenant: Caller, pipeline: str, node: Node) -> None:
    job_id = await tenant.submit(pipeline, outputs=three())
    ref = (await node.take()).ref
    await tell(node, ref, state(0, JobStatus.COMPLETE), state(1, JobStatus.COMPLETE))
    await node.dies_of(ref)
    assert await statuses(tenant, job_id) == ["Progressing", "Submitted", "Submitted"]


async def test_a_node_that_tells_of_outputs_that_are_none_changes_nothing(
    tenant: Caller, pipeline: str, node: Node
) -> None:
    job_id = await tenant.submit(pipeline, outputs=three())
    ref = (await node.take()).ref
    await tell(node, ref, state(-1, JobStatus.ERROR), state(3, JobStatus.ERROR))
    assert await statuses(tenant, job_id) == ["Progressing", "Submitted", "Submitted"]


@shows("progress")
async def test_whoever_watches_is_told_of_each_as_it_ends(tenant: Caller, pipeline: str, node: Node) -> None:
    job_id = await tenant.submit(pipeline, outputs=three())
    async with watching(tenant, job_id) as events:
        ref = (await node.take()).ref
        for expected in ("submitted", "progressing"):
            assert (await anext(events))[1] == expected
        await tell(node, ref, state(0, JobStatus.PROGRESSING))
        _, kind, first = await anext(events)
        await tell(node, ref, state(0, JobStatus.COMPLETE))
        _, _, second = await anext(events)
    assert kind == "progress"
    assert [[each["status"] for each in told["outputs"]] for told in (first, second)] == [["Progressing"], ["Complete"]]
