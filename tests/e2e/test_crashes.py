"""The control plane killed without warning: what it acknowledged is there afterwards, once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.capacity import Free
from shared.protocol import (
    AcceptRequest,
    EnrolRequest,
    HelloRequest,
    PollRequest,
    ReportRequest,
    StagedFile,
    UrlsRequest,
)
from tests.builders import a_capacity, a_document, eventually, finished, free_of, mp4_settings, produced, some_facts
from tests.e2e.processes import Client, running
from tests.soak import times

pytestmark = pytest.mark.timeout(times(120, 7200))


async def a_pipeline(tenant: Client) -> str:
    await tenant.call("POST", "/v1/buckets", {"name": "b"})
    made = await tenant.call("POST", "/v1/pipelines", {"name": "p", "input_bucket": "b", "output_bucket": "b"})
    pipeline_id: str = made["id"]
    return pipeline_id


def a_job(pipeline_id: str, token: str, key: str = "out.mp4") -> dict[str, Any]:
    return a_document(pipeline_id, outputs=[{"key": key, "settings": mp4_settings()}], client_request_token=token)


async def test_no_acknowledged_job_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    is_over = asyncio.Event()

    async def submit(caller: int) -> None:
        number = 0
        while not is_over.is_set():
            token = f"caller {caller} job {number}"
            acknowledged[token] = (await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, token)))["id"]
            number += 1

    async with running(tmp_path / "state") as (server, tenant, _):
        pipeline_id = await a_pipeline(tenant)
        callers = [asyncio.create_task(submit(caller)) for caller in range(8)]
        for _ in range(times(3, 30)):
            count = len(acknowledged)
            async with asyncio.timeout(30):
                while len(acknowledged) < count + 50:  # noqa: ASYNC110 (another process works)
                    await asyncio.sleep(0.005)
            await server.kill()
            await server.start()
        is_over.set()
        await asyncio.gather(*callers)
        found = Counter(job["id"] for job in await tenant.every_job())
    assert len(acknowledged) > 100
    assert set(found.values()) == {1}
    assert set(found) == set(acknowledged.values())
    assert len(set(acknowledged.values())) == len(acknowledged)
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
        headers = {"Authorization": f"Bearer {tenant._key}", "Accept": "text/event-stream"}
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


class ScriptedNode:
    def __init__(self, client: Client) -> None:
        self.client = client

    @classmethod
    async def join(cls, url: str, operator: Client) -> ScriptedNode:
        await operator.call("POST", "/v1/clusters", {"id": "c"})
        return await cls.enrol(url, operator)

    @classmethod
    async def enrol(cls, url: str, operator: Client) -> ScriptedNode:
        token = (await operator.call("POST", "/v1/clusters/c/join-tokens", {"expires_in": 60}))["token"]
        asked = EnrolRequest(join_token=token, hostname="edge").model_dump_json().encode()
        enrolled = await operator.call("POST", "/agent/v1/enrol", asked)
        node = cls(Client(url, enrolled["credential"]))
        await node.say("hello", HelloRequest(boot_id="boot", facts=some_facts()))
        return node

    async def close(self) -> None:
        await self.client.close()

    async def say(self, name: str, message: Any) -> Any:
        return await self.client.call("POST", f"/agent/v1/{name}", message.model_dump_json().encode())

    async def poll(self, wait: float) -> Any:
        free: Free = free_of(a_capacity())
        return await self.say("poll", PollRequest(boot_id="boot", free=free, wait=wait))

    async def work_on(self, job_id: str, *names: str) -> Any:
        """Takes the job, accepts it, and stages its objects."""
        (order,) = (await self.poll(10))["orders"]
        assert order["job_id"] == job_id
        accept = AcceptRequest.model_validate({"ref": order["ref"]})
        await self.say("accept", accept)
        asked = UrlsRequest(ref=accept.ref, files=tuple(StagedFile(name=name, size=10) for name in names))
        for upload in (await self.say("urls", asked))["uploads"]:
            await self.client.call("PUT", upload["url"], b"x" * 10)
        return accept.ref

    async def send_and_kill(self, server: Any, name: str, message: Any, *, after: float) -> None:
        call = asyncio.create_task(self.client.once("POST", f"/agent/v1/{name}", message.model_dump_json().encode()))
        await asyncio.sleep(after)
        await server.kill()
        await asyncio.gather(call, return_exceptions=True)


async def until_complete(tenant: Client, job_id: str) -> None:
    async with asyncio.timeout(20):
        while (await tenant.call("GET", f"/v1/jobs/{job_id}"))["status"] != "Complete":  # noqa: ASYNC110 (another process works)
            await asyncio.sleep(0.02)


def assert_counted(state: Path) -> None:
    with closing(sqlite3.connect(state / "transcoder.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (queued, running) = database.execute("SELECT SUM(queued), SUM(running) FROM tenants").fetchone()
        states = Counter(dict(database.execute("SELECT state, COUNT(*) FROM tasks GROUP BY state")))
        assert queued == states["Held"] + states["Waiting"]
        assert running == states["Leased"] + states["Running"] + states["Stopping"] + states["Publishing"]
        (waiting,) = database.execute("SELECT COALESCE(SUM(waiting), 0) FROM lanes").fetchone()
        assert waiting == states["Waiting"]
