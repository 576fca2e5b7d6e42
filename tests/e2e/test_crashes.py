"""The control plane killed without warning: what it acknowledged is there afterwards, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from shared.protocol import ReportRequest
from tests.builders import eventually, finished, produced
from tests.e2e.callers import Callers, ScriptedNode, a_job, a_pipeline, assert_counted, until_complete
from tests.e2e.processes import running
from tests.soak import times

pytestmark = pytest.mark.timeout(times(120, 7200))


async def test_no_acknowledged_job_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (server, tenant, _):
        callers = Callers(tenant, await a_pipeline(tenant))
        for _ in range(times(3, 30)):
            await callers.more(50)
            await server.kill()
            await server.start()
        await callers.end()
        found = Counter(job["id"] for job in await tenant.every_job())
    assert len(callers.acknowledged) > 100
    assert found == Counter(callers.acknowledged.values())
    assert set(found.values()) == {1}
    assert_counted(tmp_path / "state")


async def test_callers_that_do_not_know_whether_they_were_heard_create_one_job(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (server, tenant, _):
        pipeline_id = await a_pipeline(tenant)
        for number in range(times(3, 50)):
            calls = [
                asyncio.create_task(tenant.call("POST", "/v1/jobs", a_job(pipeline_id, f"round {number}")))
                for _ in range(16)
            ]
            await asyncio.sleep(0.001 * number)
            await server.kill()
            await server.start()
            assert len({made["id"] for made in await asyncio.gather(*calls)}) == 1
            assert len(await tenant.every_job()) == number + 1


async def test_what_was_reported_is_published_after_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (server, tenant, operator):
        pipeline_id = await a_pipeline(tenant)
        node = await ScriptedNode.join(server.url, operator)
        try:
            for number in range(times(3, 30)):
                key = f"{number}.mp4"
                job = await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, f"job {number}", key))
                ref = await node.work_on(job["id"], "out.mp4")
                report = ReportRequest(ref=ref, outcome=finished(produced(key, name="out.mp4")))
                await node.send_and_kill(server, "report", report, after=0.002 * number)
                await server.start()
                await node.say("report", report)  # its answer may have been lost: the agent sends it again
                await until_complete(tenant, job["id"])
                link = await tenant.call("POST", "/v1/buckets/b/links", {"key": key})
                assert await tenant.call("GET", link["url"]) == b"x" * 10
            staging = tmp_path / "state" / "buckets"
            await server.kill()
            await server.start()
            await eventually(lambda: not list(staging.rglob(".transcoder/staging/*")))
        finally:
            await node.close()
    assert_counted(tmp_path / "state")


async def test_the_service_stops_in_order_with_polls_and_watchers_held(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (server, tenant, operator):
        pipeline_id = await a_pipeline(tenant)
        node = await ScriptedNode.join(server.url, operator)
        await tenant.call("POST", f"/v1/pipelines/{pipeline_id}/pause")
        job = await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, "job"))
        held = asyncio.create_task(node.poll(20))
        headers = {"Authorization": f"Bearer {tenant.key}", "Accept": "text/event-stream"}
        async with aiohttp.ClientSession() as session:
            watching = await session.get(f"{server.url}/v1/jobs/{job['id']}/events", headers=headers)
            await watching.content.readline()
            await asyncio.sleep(0.1)
            begun = asyncio.get_running_loop().time()
            assert await server.stop() == 0
            assert asyncio.get_running_loop().time() - begun < 5
            assert (await held)["orders"] == []
            watching.close()
        await node.close()
