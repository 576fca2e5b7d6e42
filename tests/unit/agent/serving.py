"""A server on a real socket that answers what a test wrote down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.client import ControlPlane
from tests.unit.agent.builders import Sleeps

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(code: str, status: int, *, retry_after: str | None = None) -> web.Response:
    headers = {"Retry-After": retry_after} if retry_after else {}
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": f"It is {code}."}
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield server


@asynccontextmanager
async def client_of(handler: Handler, sleep: Sleeps | None = None) -> AsyncIterator[ControlPlane]:
    """A client whose waits take no time, of a server that is this handler."""
    sleep = sleep or Sleeps()
    async with (
        serving(handler) as server,
        ControlPlane(
            str(server.make_url("/")), "s3cret", clock=sleep.clock, sleep=sleep, randomly=lambda: 1.0
        ) as client,
    ):
        yield client
