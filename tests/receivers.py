"""An endpoint as those keep one who are told of jobs: it remembers what came, and answers as it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

OWN_NETWORKS: Final = ("127.0.0.0/8",)
"""For services in tests, whose endpoints are on this machine."""


@dataclass(frozen=True)
class Received:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.json["type"])


class Receiver:
    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.answers: list[int | Mapping[str, str]] = []
        """Statuses of the next answers, or headers of a 503; then 204."""
        self.held: asyncio.Event | None = None
        """While there is one, answers wait for it."""
        self.under_way = 0
        self.most_under_way = 0
        self._came = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self._came:
            self.received.append(Received(request.path, dict(request.headers), body))
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            self._came.notify_all()
        try:
            if self.held is not None:
                await self.held.wait()
            answer = self.answers.pop(0) if self.answers else 204
            if isinstance(answer, int):
                return web.Response(status=answer)
            return web.Response(status=503, headers=answer)
        finally:
            self.under_way -= 1

    async def got(self, count: int, within: float = 60.0) -> list[Received]:
        """What has come, once it is so much."""
        async with asyncio.timeout(within), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    @property
    def types(self) -> list[str]:
        return [one.type for one in self.received]


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
