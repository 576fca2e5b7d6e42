"""What happens to all jobs of a tenant, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from controlplane.api import jobs
from controlplane.domain.permissions import Role
from controlplane.http.keys import STREAMS
from controlplane.services import events
from tests.builders import eventually
from tests.contract.api.service import Caller, Node, Service, serving
from tests.contract.api.test_jobs import watching

Told = tuple[str, str]
following = partial(watching, job_id="", path="/v1/events")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "GATHERED", 0.001)
    monkeypatch.setattr(jobs, "QUIET_SECONDS", 0.05)


async def take(stream: AsyncIterator[tuple[str, str, Any]], count: int) -> list[Told]:
    """(job, type) of the next events."""
    told = []
    async with asyncio.timeout(5):
        while len(told) < count:
            _, kind, event = await anext(stream)
            told.append((event["job_id"], kind))
    return told


async def test_a_stream_begins_now_and_tells_of_every_job(tenant: Caller, pipeline: str, node: Node) -> None:
    await tenant.submit(pipeline)
    await node.take()
    async with following(tenant) as stream:
        first, second = await tenant.submit(pipeline), await tenant.submit(pipeline)
        await tenant.post(f"/v1/jobs/{second}/cancel")
        assert await take(stream, 3) == [(first, "submitted"), (second, "submitted"), (second, "canceled")]


async def test_an_account_has_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", max_streams_per_tenant=2) as service:
        tenant, other = await service.tenant(), await service.tenant("other")
        job_id = await tenant.submit(await tenant.pipeline())
        colleague = await service.user(tenant)
        async with following(tenant), watching(colleague, job_id):
            for path in ("/v1/events", f"/v1/jobs/{job_id}/events", f"/v1/jobs/{job_id}/log"):
                refused = await tenant.get(path, headers={"Accept": "text/event-stream"})
                assert refused.fault == (429, "throttled", None)
                assert refused.headers["Retry-After"] == "1"
                assert (await tenant.get(path)).status == 200
            async with following(other):
                pass
        await eventually(lambda: not service.app[STREAMS]._open)
        async with following(tenant), following(colleague):
            pass


async def test_it_goes_on_behind_the_last_event_that_was_seen_and_misses_none(tenant: Caller, pipeline: str) -> None:
    made = [await tenant.submit(pipeline) for _ in range(4)]
    listed = (await tenant.get("/v1/events")).json["items"]
    assert [(event["job_id"], event["type"]) for event in listed] == [(job_id, "submitted") for job_id in made]
    async with following(tenant, last=str(listed[1]["id"])) as stream:
        made.append(await tenant.submit(pipeline))
        assert await take(stream, 3) == [(job_id, "submitted") for job_id in made[2:]]
    since = (await tenant.get(f"/v1/events?after={listed[3]['id']}")).json["items"]
    assert [event["job_id"] for event in since] == made[4:]


async def test_whoever_goes_on_while_much_happens_sees_everything_once_and_in_order(
    tenant: Caller, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "AT_ONCE", 3)
    made: list[str] = []
    async with following(tenant) as stream:

        async def submit() -> None:
            for _ in range(10):
                made.append(await tenant.submit(pipeline))

        _, told = await asyncio.gather(submit(), take(stream, 10))
    assert [job_id for job_id, _ in told] == made


async def test_pages_of_the_list_hold_every_event_once(tenant: Caller, pipeline: str) -> None:
    made = [await tenant.submit(pipeline) for _ in range(5)]
    seen, token = [], ""
    while True:
        page = (await tenant.get(f"/v1/events?page_size=2{token}")).json
        seen += [event["job_id"] for event in page["items"]]
        if page["next_page_token"] is None:
            break
        token = f"&page_token={page['next_page_token']}"
    assert seen == made


async def test_nothing_of_another_tenant_is_told(service: Service, tenant: Caller, pipeline: str) -> None:
    stranger = await service.tenant("stranger")
    async with following(stranger) as stream:
        await tenant.submit(pipeline)
        own = await stranger.submit(await stranger.pipeline())
        assert await take(stream, 1) == [(own, "submitted")]
    assert [event["job_id"] for event in (await stranger.get("/v1/events")).json["items"]] == [own]


async def test_whoever_may_see_some_jobs_is_told_of_those(service: Service, tenant: Caller, pipeline: str) -> None:
    other = await tenant.pipeline("another")
    permission = {"actions": ["jobs:*"], "resources": [f"pipeline/{pipeline}"]}
    narrow = await service.user(tenant, "narrow", role=Role.TENANT_USER, permissions=[permission])
    async with following(narrow) as stream:
        await tenant.submit(other)
        seen = await tenant.submit(pipeline)
        assert await take(stream, 1) == [(seen, "submitted")]
    assert [event["job_id"] for event in (await narrow.get("/v1/events")).json["items"]] == [seen]


async def test_operators_have_no_jobs_to_be_told_of(operator: Caller) -> None:
    assert (await operator.get("/v1/events")).code == "forbidden"


async def test_a_stream_ends_when_its_reader_may_read_it_no_more(
    service: Service, tenant: Caller, pipeline: str
) -> None:
    user = await service.user(tenant, "user", role=Role.READ_ONLY)
    async with following(user) as stream, asyncio.timeout(5):
        await tenant.call("DELETE", f"/v1/users/{user.user_id}")
        await tenant.submit(pipeline)
        assert [kind async for _, kind, _ in stream] == []
