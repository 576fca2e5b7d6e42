"""The control plane behind a real socket, and those who call it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from controlplane.app import make_app
from controlplane.http.keys import CLUSTERS, DISPATCHER, GUARD, TENANTS
from controlplane.settings import Settings
from controlplane.store.port import Store
from controlplane.store.sqlite import SqliteStore
from shared.capacity import Capacity, Free
from shared.errors import AlreadyExists
from shared.ids import ClusterId, TenantId
from shared.models import Message
from shared.protocol import (
    AcceptRequest,
    AttemptProgress,
    AttemptRef,
    BeatRequest,
    EnrolRequest,
    HelloRequest,
    Interruption,
    Outcome,
    PollRequest,
    ProducedObject,
    ReportRequest,
    StagedFile,
    StartTask,
    UrlsRequest,
)
from shared.statuses import Phase
from tests.builders import a_capacity, free_of, mp4_settings, produced, some_facts, some_progress
from tests.clock import FakeClock
from tests.receivers import OWN_NETWORKS

CLUSTER = ClusterId("paris-1")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        """Of a refusal."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.content
        problem = self.json
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["X-Request-Id"]
        code: str = problem["code"]
        return code

    @property
    def fault(self) -> tuple[int, str, str | None]:
        return self.status, self.code, self.json["pointer"]


class Service:
    """Started, with its clock in the test's hand."""

    def __init__(self, url: str, app: web.Application, clock: FakeClock, store: Store, state: Path) -> None:
        self.url = url
        self.app = app
        self.clock = clock
        self.store = store
        self.state = state
        self._session = aiohttp.ClientSession(auto_decompress=False)

    async def close(self) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        document: Any = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`path` is sent as it stands, or is a whole URL of the service's own."""
        given = dict(headers or {})
        if key is not None:
            given["Authorization"] = f"Bearer {key}"
        data = json.dumps(document) if document is not None else content
        url = aiohttp.client.URL(path if path.startswith("http") else self.url + path, encoded=True)
        async with self._session.request(method, url, data=data, headers=given) as response:
            return Answer(response.status, response.headers, await response.read())

    async def operator(self) -> Caller:
        return Caller(self, await self.app[TENANTS].create_operator("test"), None)

    async def tenant(self, name: str = "acme", weight: int = 1) -> Caller:
        made = await self.app[TENANTS].create(name, weight)
        _, key = await self.app[TENANTS].create_first_key(made.id, "test", None)
        return Caller(self, key, made.id)

    async def user(self, admin: Caller, name: str = "user", **wishes: Any) -> Caller:
        """One of the admin's tenant, with a key of its own."""
        made = await admin.post("/v1/users", {"name": name, **wishes})
        assert made.status == 201, made.content
        key = await admin.post("/v1/keys", {"user_id": made.json["id"]})
        return Caller(self, key.json["key"], admin.tenant_id, made.json["id"])

    async def node(self, capacity: Capacity | None = None, *, labels: dict[str, str] | None = None) -> Node:
        with suppress(AlreadyExists):
            await self.app[CLUSTERS].create(CLUSTER, "Paris")
        token, _ = await self.app[CLUSTERS].join_token(CLUSTER, labels or {}, 3600)
        asked = EnrolRequest(join_token=token, hostname="edge")
        answer = await self.call("POST", "/agent/v1/enrol", content=asked.model_dump_json())
        assert answer.status == 200, answer.content
        node = Node(self, answer.json["node_id"], answer.json["credential"], capacity or a_capacity())
        await node.hello()
        return node

    @property
    def held_polls(self) -> int:
        return len(self.app[DISPATCHER]._waiters)


class Caller:
    """A person or a program with an API key."""

    def __init__(self, service: Service, key: str, tenant_id: TenantId | None, user_id: str | None = None) -> None:
        self.service = service
        self.key = key
        self.tenant_id = tenant_id
        self.user_id = user_id

    async def call(self, method: str, path: str, document: Any = None, **given: Any) -> Answer:
        return await self.service.call(method, path, key=self.key, document=document, **given)

    async def get(self, path: str, **given: Any) -> Answer:
        return await self.call("GET", path, **given)

    async def post(self, path: str, document: Any = None, **given: Any) -> Answer:
        return await self.call("POST", path, document, **given)

    async def pipeline(self, bucket: str = "bucket", thumbnails: str | None = None) -> str:
        """A pipeline with buckets that exist."""
        for name in {bucket, thumbnails or bucket}:
            made = await self.post("/v1/buckets", {"name": name})
            assert made.status in (201, 409), made.content
        document = {"name": "p", "input_bucket": bucket, "output_bucket": bucket, "thumbnail_bucket": thumbnails}
        made = await self.post("/v1/pipelines", document)
        assert made.status == 201, made.content
        pipeline_id: str = made.json["id"]
        return pipeline_id

    async def submit(self, pipeline_id: str, **changes: Any) -> str:
        made = await self.post("/v1/jobs", a_document(pipeline_id, **changes))
        assert made.status == 201, made.content
        job_id: str = made.json["id"]
        return job_id

    async def status(self, job_id: str) -> str:
        status: str = (await self.get(f"/v1/jobs/{job_id}")).json["status"]
        return status

    async def upload(self, key: str, content: bytes, bucket: str = "bucket") -> Answer:
        link = await self.post(f"/v1/buckets/{bucket}/uploads", {"key": key})
        assert link.status == 201, link.content
        return await self.service.call("PUT", link.json["url"], content=content)

    async def download(self, key: str, bucket: str = "bucket") -> Answer:
        link = await self.post(f"/v1/buckets/{bucket}/links", {"key": key})
        assert link.status == 201, link.content
        return await self.service.call("GET", link.json["url"])

    async def keys(self, bucket: str = "bucket") -> list[str]:
        return [item["key"] for item in (await self.get(f"/v1/buckets/{bucket}/objects")).json["items"]]


class Node:
    """An agent that does what the script says."""

    def __init__(self, service: Service, node_id: str, credential: str, capacity: Capacity) -> None:
        self.service = service
        self.id = node_id
        self.credential = credential
        self.capacity = capacity
        self.boot_id = "boot-1"

    async def say(self, name: str, message: Message) -> Answer:
        return await self.service.call(
            "POST", f"/agent/v1/{name}", key=self.credential, content=message.model_dump_json()
        )

    async def hello(self, boot_id: str | None = None, unreported: tuple[AttemptRef, ...] = ()) -> Answer:
        self.boot_id = boot_id or self.boot_id
        asked = HelloRequest(boot_id=self.boot_id, facts=some_facts(self.capacity), unreported=unreported)
        answer = await self.say("hello", asked)
        assert answer.status == 200, answer.content
        return answer

    async def dies_of(self, ref: AttemptRef) -> None:
        """The agent was killed while it encoded, and starts again."""
        before, self.boot_id = self.boot_id, f"{self.boot_id}+"
        ended = Interruption(ref=ref, by="kill", phase=Phase.ENCODING)
        asked = HelloRequest(
            boot_id=self.boot_id, before=(before,), facts=some_facts(self.capacity), interrupted=(ended,)
        )
        answer = await self.say("hello", asked)
        assert answer.status == 200, answer.content

    async def poll(self, wait: float = 0.0, free: Free | None = None, **knows: bool) -> Answer:
        asked = PollRequest(boot_id=self.boot_id, free=free or free_of(self.capacity), wait=wait, **knows)
        return await self.say("poll", asked)

    async def orders(self, wait: float = 5.0, **knows: bool) -> list[dict[str, Any]]:
        answer = await self.poll(wait, **knows)
        assert answer.status == 200, answer.content
        orders: list[dict[str, Any]] = answer.json["orders"]
        return orders

    async def start(self, wait: float = 5.0) -> StartTask:
        (order,) = await self.orders(wait)
        return StartTask.model_validate_json(json.dumps(order))

    async def accept(self, ref: AttemptRef) -> Answer:
        return await self.say("accept", AcceptRequest(ref=ref))

    async def take(self) -> StartTask:
        """The next task, accepted."""
        order = await self.start()
        assert (await self.accept(order.ref)).status == 200
        return order

    async def beat(self, *refs: AttemptRef, percent: float = 10.0) -> Answer:
        attempts = tuple(AttemptProgress(ref=ref, progress=some_progress(percent)) for ref in refs)
        return await self.say("beat", BeatRequest(boot_id=self.boot_id, free=free_of(self.capacity), attempts=attempts))

    async def stage(self, ref: AttemptRef, *objects: ProducedObject) -> None:
        """Uploads files of the sizes that the objects tell."""
        for made in objects:
            asked = UrlsRequest(ref=ref, files=(StagedFile(name=made.name, size=made.size),))
            (upload,) = (await self.say("urls", asked)).json["uploads"]
            put = await self.service.call("PUT", self.service.url + upload["url"], content=b"x" * made.size)
            assert put.status == 201, put.content

    async def report(self, ref: AttemptRef, outcome: Outcome) -> Answer:
        return await self.say("report", ReportRequest(ref=ref, outcome=outcome))


def a_document(pipeline_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "pipeline_id": pipeline_id,
        "inputs": [{"key": "in.mp4"}],
        "outputs": [{"key": "out.mp4", "settings": mp4_settings()}],
    } | changes


OUT = produced("out.mp4")
UNHURRIED = dict.fromkeys(("requests_per_minute", "cancels_per_minute", "failures_per_minute"), 60_000_000)
"""So that tests that are not about throttling never meet it."""


@asynccontextmanager
async def serving(
    state: Path, clock: FakeClock | None = None, store: Store | None = None, **changes: Any
) -> AsyncIterator[Service]:
    """Until the block ends; then it is shut down as `transcoder server run` shuts down. On SQLite by default."""
    state.mkdir(exist_ok=True)
    wishes = {"state": state, "reap_interval": 3600.0, "shutdown_grace": 5.0, **UNHURRIED} | changes
    wishes.setdefault("outgoing_networks", OWN_NETWORKS)
    settings, clock = Settings(**wishes), clock or FakeClock()
    store = store or SqliteStore(state / "transcoder.db")
    app = make_app(settings, store, clock, b"a secret of thirty-two characters")
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=settings.shutdown_grace)
    await runner.setup()
    await app[GUARD].site(runner, "127.0.0.1", 0, None).start()
    host, port = runner.addresses[0][:2]
    service = Service(f"http://{host}:{port}", app, clock, store, state)
    try:
        yield service
    finally:
        await service.close()
        async with asyncio.timeout(settings.shutdown_grace + 5):
            await runner.cleanup()
