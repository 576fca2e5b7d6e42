"""Everything reaches staging, a few files at a time, over links that may run out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from agent.jobs.failure import AttemptFailed
from agent.jobs.publish import AT_ONCE, publish
from shared.errors import StaleLease
from shared.failures import Cause
from shared.protocol import StagedFile
from tests.unit.agent.builders import Sleeps, a_ref
from tests.unit.agent.serving import client_of, problem


class Staging:
    """A stand-in for the control plane's storage; links carry a number, and those below `first_good` have run out."""

    def __init__(self, *, first_good: int = 0, refusal: web.Response | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.at_once = 0
        self.most_at_once = 0
        self.links = 0
        self.first_good = first_good
        self.refusal = refusal

    async def handle(self, request: web.Request) -> web.Response:
        return await (self.put(request) if request.method == "PUT" else self.urls(request))

    async def urls(self, request: web.Request) -> web.Response:
        if self.refusal is not None:
            return self.refusal
        uploads = []
        for file in (await request.json())["files"]:
            uploads.append({"name": file["name"], "url": f"/stage/{file['name']}?link={self.links}"})
            self.links += 1
        return web.json_response({"uploads": uploads})

    async def put(self, request: web.Request) -> web.Response:
        if int(request.query["link"]) < self.first_good:
            return problem("link_refused", 403)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        body = await request.read()
        await asyncio.sleep(0)
        self.at_once -= 1
        self.objects[request.path] = body
        return web.Response()


def make(directory: Path, count: int) -> list[StagedFile]:
    for number in range(count):
        (directory / f"o0_{number:05d}.ts").write_bytes(b"x" * (number + 1))
    return [StagedFile(name=f"o0_{number:05d}.ts", size=number + 1) for number in range(count)]


async def test_every_file_arrives_whole_a_few_at_a_time(tmp_path: Path) -> None:
    staging, sent = Staging(), []
    async with client_of(staging.handle) as client:
        await publish(client, a_ref(), tmp_path, make(tmp_path, 20), sent.append)
    assert staging.objects == {f"/stage/o0_{number:05d}.ts": b"x" * (number + 1) for number in range(20)}
    assert staging.most_at_once <= AT_ONCE
    assert sum(sent) == sum(range(1, 21))


async def test_a_link_that_ran_out_is_renewed(tmp_path: Path) -> None:
    staging = Staging(first_good=2)
    async with client_of(staging.handle) as client:
        await publish(client, a_ref(), tmp_path, make(tmp_path, 2), id)
    assert len(staging.objects) == 2


@pytest.mark.parametrize("away", ["POST", "PUT"])
async def test_what_is_made_outlives_an_outage_of_most_of_a_day(tmp_path: Path, away: str) -> None:
    staging, sleep = Staging(), Sleeps()
    end = sleep.clock.seconds + 23 * 3600

    async def handler(request: web.Request) -> web.Response:
        if sleep.clock.seconds < end and (request.method == "PUT") is (away == "PUT"):
            return problem("unavailable", 503, retry_after="1200")
        return await staging.handle(request)

    async with client_of(handler, sleep) as client:
        await publish(client, a_ref(), tmp_path, make(tmp_path, 1), id)
    assert len(staging.objects) == 1


async def test_an_outage_of_days_is_not_waited_for(tmp_path: Path) -> None:
    sleep = Sleeps()
    start = sleep.clock.seconds

    async def away(_: web.Request) -> web.Response:
        return problem("unavailable", 503, retry_after="1200")

    async with client_of(away, sleep) as client:
        with pytest.raises(AttemptFailed) as failed:
            await publish(client, a_ref(), tmp_path, make(tmp_path, 1), id)
    assert failed.value.failure.cause is Cause.NODE
    assert sleep.clock.seconds - start <= 24 * 3600


async def test_links_that_never_work_end_the_attempt(tmp_path: Path) -> None:
    staging = Staging(first_good=1000)
    async with client_of(staging.handle) as client:
        with pytest.raises(AttemptFailed) as failed:
            await publish(client, a_ref(), tmp_path, make(tmp_path, 2), id)
    assert failed.value.failure.cause is Cause.NODE


async def test_a_lost_lease_is_told_as_such(tmp_path: Path) -> None:
    staging = Staging(refusal=problem("stale_lease", 409))
    async with client_of(staging.handle) as client:
        with pytest.raises(StaleLease):
            await publish(client, a_ref(), tmp_path, make(tmp_path, 1), id)


@pytest.mark.parametrize(("code", "status"), [("quota_exceeded", 403), ("storage_full", 403), ("not_found", 404)])
async def test_a_bucket_that_is_full_or_gone_is_not_the_nodes_fault(tmp_path: Path, code: str, status: int) -> None:
    staging = Staging(refusal=problem(code, status))
    async with client_of(staging.handle) as client:
        with pytest.raises(AttemptFailed) as failed:
            await publish(client, a_ref(), tmp_path, make(tmp_path, 1), id)
    assert failed.value.failure.cause is not Cause.NODE
