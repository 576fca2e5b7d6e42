"""Who speaks to a control plane that dies: tenants that submit without end, and a node that does as it is told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from shared.capacity import Free
from shared.protocol import AcceptRequest, EnrolRequest, HelloRequest, PollRequest, StagedFile, UrlsRequest
from tests.builders import a_capacity, a_document, free_of, mp4_settings, some_facts
from tests.e2e.processes import Client

AT_ONCE: Final = 8


async def a_pipeline(tenant: Client) -> str:
    await tenant.call("POST", "/v1/buckets", {"name": "b"})
    made = await tenant.call("POST", "/v1/pipelines", {"name": "p", "input_bucket": "b", "output_bucket": "b"})
    pipeline_id: str = made["id"]
    return pipeline_id


def a_job(pipeline_id: str, token: str, key: str = "out.mp4") -> dict[str, Any]:
    return a_document(pipeline_id, outputs=[{"key": key, "settings": mp4_settings()}], client_request_token=token)


class Callers:
    """Each submits one job after the other, under a token of its own, and asks again until it is answered."""

    def __init__(self, tenant: Client, pipeline_id: str) -> None:
        self.acknowledged: dict[str, str] = {}
        """Ids of jobs by their tokens."""
        self._is_over = asyncio.Event()
        self._tasks = [asyncio.create_task(self._submit(tenant, pipeline_id, caller)) for caller in range(AT_ONCE)]

    async def _submit(self, tenant: Client, pipeline_id: str, caller: int) -> None:
        number = 0
        while not self._is_over.is_set():
            token = f"caller {caller} job {number}"
            self.acknowledged[token] = (await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, token)))["id"]
            number += 1

    async def more(self, count: int) -> None:
        """Until so many more are acknowledged."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(60):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 (another process works)
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        """After what was begun was answered."""
        self._is_over.set()
        await asyncio.gather(*self._tasks)


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
