"""The control plane killed at named points: what was acknowledged is there, what was promised happens, and once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from controlplane.domain.results import objects_of
from shared.protocol import ReportRequest
from tests.builders import eventually, finished_hls, hls_document
from tests.e2e.callers import AT_ONCE, Callers, ScriptedNode, a_job, a_pipeline, assert_counted, until_complete
from tests.e2e.processes import Client, Server, make_operator, make_tenant, running
from tests.receivers import receiving
from tests.soak import IS_SOAKING, times

pytestmark = pytest.mark.timeout(times(120, 600))


@pytest.mark.parametrize("point", ["after an operation, before its commit", "after a commit, before its answer"])
@pytest.mark.parametrize("count", [13] if not IS_SOAKING else range(10, 30))
async def test_a_job_that_was_being_submitted_is_there_once_or_not_at_all(
    tmp_path: Path, point: str, count: int
) -> None:
    async with running(tmp_path / "state") as (server, tenant, _):
        pipeline_id = await a_pipeline(tenant)
        await server.stop()
        await server.start(dying_at=(point, count), is_ready=False)  # its own commits count too
        callers = Callers(tenant, pipeline_id)
        await server.died()
        await server.start()
        await callers.end()
        found = Counter(job["id"] for job in await tenant.every_job())
    assert len(callers.acknowledged) >= AT_ONCE
    assert found == Counter(callers.acknowledged.values())
    assert_counted(tmp_path / "state")


@pytest.mark.parametrize(
    "point",
    [
        "after a commit, before its answer",
        "before a message is sent",
        "after a message was answered, before that is noted",
    ],
)
@pytest.mark.parametrize("count", [9] if not IS_SOAKING else range(1, 30))
async def test_whatever_happened_is_told_though_the_messenger_dies(tmp_path: Path, point: str, count: int) -> None:
    """At least once, and under one name however often."""
    made: list[str] = []

    async def submit(caller: int) -> None:
        for number in range(5):
            token = f"caller {caller} job {number}"
            made.append((await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, token)))["id"])

    told = {"TRANSCODER_OUTGOING_NETWORKS": '["127.0.0.0/8"]', "TRANSCODER_DELIVERY_TIMEOUT": "1"}
    async with receiving() as receiver, running(tmp_path / "state", told) as (server, tenant, _):
        pipeline_id = await a_pipeline(tenant)
        await tenant.call("POST", "/v1/webhooks", {"url": receiver.url, "types": ["job.submitted"]})
        await server.stop()
        await server.start(dying_at=(point, count), is_ready=False)  # its own commits count too
        callers = [asyncio.create_task(submit(caller)) for caller in range(AT_ONCE)]
        await server.died()
        await server.start()
        await asyncio.gather(*callers)
        await eventually(lambda: {one.json["data"]["job_id"] for one in receiver.received} >= set(made), 60)
    names = {(one.headers["webhook-id"], one.json["data"]["job_id"]) for one in receiver.received}
    assert len(names) == len(set(made)), "no job is told of under two names"
    assert len({one.body for one in receiver.received}) == len(names), "nor in other words"


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("before results become visible", 1),
        ("between two results that become visible", 1),
        *(("between two results that become visible", count) for count in (range(2, 7) if IS_SOAKING else ())),
        ("after all results are visible, before that is written", 1),
        ("before staging is cleared", 1),
    ],
)
async def test_results_become_visible_once_whatever_they_were_doing(tmp_path: Path, point: str, count: int) -> None:
    async with running(tmp_path / "state") as (server, tenant, operator):
        pipeline_id = await a_pipeline(tenant)
        node = await ScriptedNode.join(server.url, operator)
        await server.stop()
        await server.start(dying_at=(point, count))
        job = await tenant.call("POST", "/v1/jobs", hls_document(pipeline_id))
        outcome = finished_hls()
        objects = list(objects_of(outcome))
        ref = await node.work_on(job["id"], *(made.name for made in objects))
        report = ReportRequest(ref=ref, outcome=outcome)
        telling = asyncio.create_task(node.say("report", report))  # again and again until it is answered
        await server.died()
        await server.start()
        await telling
        await until_complete(tenant, job["id"])
        for made in objects:
            link = await tenant.call("POST", "/v1/buckets/b/links", {"key": made.key})
            assert await tenant.call("GET", link["url"]) == b"x" * 10
        events = await tenant.call("GET", f"/v1/jobs/{job['id']}/events")
        assert [event["type"] for event in events["items"]].count("complete") == 1
        await eventually(lambda: not list((tmp_path / "state").rglob(".transcoder/staging/*")))
        await node.close()
    assert_counted(tmp_path / "state")


@pytest.mark.parametrize("count", [2] if not IS_SOAKING else range(1, 40))
async def test_a_migration_happens_whole_or_not_at_all(tmp_path: Path, count: int) -> None:
    state = tmp_path / "state"
    state.mkdir()
    server = Server(state)
    await server.start(dying_at=("in a migration", count), is_ready=False)
    await server.died()
    key, operator_key = await make_tenant(state), await make_operator(state)
    await server.start()
    tenant, operator = Client(server.url, key), Client(server.url, operator_key)
    try:
        pipeline_id = await a_pipeline(tenant)
        await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, "job"))
    finally:
        await tenant.close()
        await operator.close()
        await server.kill()
