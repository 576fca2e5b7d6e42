"""The control plane as one process that can be killed: everything of it but its sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from controlplane.api import agents
from controlplane.app import make_app
from controlplane.http import keys
from controlplane.settings import Settings
from controlplane.storage.links import PATH
from controlplane.store.records import Node
from controlplane.store.sqlite import SqliteStore
from shared import protocol
from shared.clock import Clock

T = TypeVar("T")


async def _poll(app: web.Application, node: Node, asked: protocol.PollRequest) -> protocol.PollAnswer:
    return await app[keys.DISPATCHER].poll(node, asked)


CALLS: dict[str, tuple[type[Any], Any]] = {
    "hello": (protocol.HelloRequest, agents.hello),
    "poll": (protocol.PollRequest, _poll),
    "accept": (protocol.AcceptRequest, agents.accept),
    "beat": (protocol.BeatRequest, agents.beat),
    "progress": (protocol.ProgressRequest, agents.progress),
    "log": (protocol.LogRequest, agents.log),
    "probed": (protocol.ProbedRequest, agents.probed),
    "urls": (protocol.UrlsRequest, agents.urls),
    "report": (protocol.ReportRequest, agents.report),
}


class Down(Exception):
    """Nobody listens."""


class Server:
    def __init__(self, state: Path, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._app: web.Application | None = None
        self._store: SqliteStore | None = None
        self._serving: set[asyncio.Task[Any]] = set()
        self.settings = Settings(
            state=state, progress_interval=15.0, bucket_roots=(state / "buckets",), idempotency_window=7 * 86_400.0
        )

    @property
    def app(self) -> web.Application:
        if self._app is None:
            raise Down
        return self._app

    @property
    def store(self) -> SqliteStore:
        if self._store is None:
            raise Down
        return self._store

    async def start(self) -> None:
        self._store = SqliteStore(self._state / "transcoder.db")
        app = make_app(self.settings, self._store, self._clock, b"secret of the simulation")
        app.freeze()
        before = asyncio.all_tasks()
        await app.startup()
        self._background = sorted(asyncio.all_tasks() - before, key=hash)  # in the order of their making
        self._app = app

    async def kill(self) -> None:
        """Nothing is finished, nothing said, and what was not committed never happened."""
        store, self._app, self._store = self.store, None, None
        doomed = [*self._serving, *self._background, store._writing]
        for task in doomed:
            task.cancel()
        with contextlib.suppress(Exception):
            store._writer.rollback()
        store._writer.close()
        store._reader.close()
        os.close(store._lock)
        await asyncio.gather(*doomed, return_exceptions=True)

    async def stop(self) -> None:
        app, self._app = self.app, None
        await app.shutdown()
        await app.cleanup()

    async def serve(self, work: Coroutine[Any, Any, T]) -> T:
        """Carries out a request, unless the process is killed meanwhile. A caller that goes away does not end it."""
        task = asyncio.get_running_loop().create_task(work)
        self._serving.add(task)
        task.add_done_callback(self._served)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Down from None
            raise

    def _served(self, task: asyncio.Task[Any]) -> None:
        self._serving.discard(task)
        if not task.cancelled():
            task.exception()

    async def call(self, name: str, authorization: str, body: bytes) -> bytes:
        """An agent's message, as its route would serve it. Raises what the route would turn into a refusal."""
        kind, function = CALLS[name]
        node = await self.app[keys.BEARERS].node(authorization, lambda: "192.0.2.1")
        answer = await function(self.app, node, kind.model_validate_json(body))
        return bytes(answer.model_dump_json().encode())

    async def put(self, url: str, content: bytes) -> None:
        """What an agent uploads by a signed link."""
        token, key = url.removeprefix(PATH).split("/", 1)
        buckets = self.app[keys.BUCKETS]
        followed = await buckets.followed(token, key, to_read=False)
        upload = await asyncio.to_thread(buckets.receive, followed, key, offset=0)
        try:
            await asyncio.to_thread(upload.write, content)
            await asyncio.to_thread(upload.finish)
        finally:
            upload.close()
