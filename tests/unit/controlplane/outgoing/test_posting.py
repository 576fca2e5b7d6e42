"""What reaches whom, over real sockets: nothing that is not allowed arrives anywhere."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from controlplane import certificates
from controlplane.outgoing.posting import Answer, Post

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Canary:
    """A host inside, at which nothing may arrive unless it is allowed: connections count, not requests."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[str] = []
        self.serve: Serve = self.accept
        self.port = 0

    async def accept(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        return await self.serve(request)


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    found = Canary()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    made = runner.server
    assert made is not None

    def counted() -> asyncio.BaseProtocol:
        found.connections += 1
        return made()

    server = await asyncio.get_running_loop().create_server(counted, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await runner.cleanup()


class Names(AbstractResolver):
    """A stand-in for DNS that may answer otherwise every time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        if self.answers == [[]]:
            raise OSError("there is no such name")
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


async def send(post: Post, url: str) -> Answer:
    try:
        return await post.send(url, {"Content-Type": "application/json"}, b"{}")
    finally:
        await post.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0",
        "0.0.0.0",  # noqa: S104 (nothing is bound)
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "\uff11\uff12\uff17.0.0.1",
    ],
)
async def test_no_way_of_writing_it_leads_inside(canary: Canary, scheme: str, host: str) -> None:
    answer = await send(Post((), timeout=5), f"{scheme}://{host}:{canary.port}/")
    assert (answer.status, canary.connections) == (None, 0)
    assert answer.error is not None


async def test_a_name_that_leads_inside_is_not_followed(canary: Canary) -> None:
    for addresses in (["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["127.0.0.1", "169.254.169.254"]):
        answer = await send(Post((), timeout=5, resolver=Names(addresses)), f"https://rebind.example:{canary.port}/")
        assert answer == Answer(None, "Its address is not public.")
    assert canary.connections == 0


async def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing(canary: Canary) -> None:
    """It is looked up once for every connection, and just what was looked up is checked and connected to."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    post = Post((ip_network("127.0.0.1/32"),), timeout=5, resolver=names)
    url = f"http://rebind.example:{canary.port}/"
    first = await post.send(url, {"Connection": "close"}, b"{}")
    assert (first.status, names.asked, canary.connections) == (204, 1, 1)
    assert await send(post, url) == Answer(None, "Its address is not public.")
    assert (names.asked, canary.connections) == (2, 1)


async def test_the_operators_own_networks_are_reached(canary: Canary) -> None:
    answer = await send(Post(LOOPBACK, timeout=5), f"http://localhost:{canary.port}/hook")
    assert (answer, canary.requests) == (Answer(204), ["/hook"])


async def test_a_redirect_is_not_followed(canary: Canary) -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{canary.port}/elsewhere")

    canary.serve = away
    answer = await send(Post(LOOPBACK, timeout=5), f"http://127.0.0.1:{canary.port}/")
    assert (answer.status, canary.requests) == (307, ["/"])


async def test_an_answer_without_end_is_not_read_to_it(canary: Canary) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:  # until the connection is gone
            await response.write(b"x" * 65536)
            sent += 65536

    canary.serve = endless
    answer = await send(Post(LOOPBACK, timeout=5), f"http://127.0.0.1:{canary.port}/")
    assert answer.status == 200
    assert sent < 64 * 1024 * 1024


async def test_who_does_not_answer_is_left(canary: Canary) -> None:
    left = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await left.wait()
        return web.Response()

    canary.serve = silent
    answer = await send(Post(LOOPBACK, timeout=0.2), f"http://127.0.0.1:{canary.port}/")
    left.set()
    assert answer == Answer(None, "There was no answer within 0.2 s.")


async def test_the_log_says_what_was_wrong_and_nothing_of_what_lies_behind(canary: Canary) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url, why in (
        (f"http://127.0.0.1:{port}/", "It could not be reached."),
        (f"https://127.0.0.1:{canary.port}/", "No TLS could be agreed on."),
        ("https://unknown.example/", "Its name has no address."),
    ):
        assert await send(Post(LOOPBACK, timeout=5, resolver=Names([])), url) == Answer(None, why)


async def test_a_certificate_proves_the_host_or_nothing_is_sent(canary: Canary, tmp_path: Path) -> None:
    certificates.make(tmp_path, ["hooks.example"], dt.datetime.now(dt.UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    app = web.Application()
    app.router.add_post("/", canary.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port, here, authority = runner.addresses[0][1], Names(["127.0.0.1"]), tmp_path / "ca.pem"
    try:
        for host, trusted, expected in (
            ("hooks.example", authority, Answer(204)),
            ("hooks.example", None, Answer(None, "Its certificate is not trusted.")),
            ("other.example", authority, Answer(None, "Its certificate is not trusted.")),
        ):
            post = Post(LOOPBACK, timeout=30, authority=trusted, resolver=here)
            assert await send(post, f"https://{host}:{port}/") == expected
    finally:
        await runner.cleanup()
    assert canary.requests == ["/"]


async def test_it_is_told_when_to_come_again(canary: Canary) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "120"})

    canary.serve = busy
    answer = await send(Post(LOOPBACK, timeout=5), f"http://127.0.0.1:{canary.port}/")
    assert answer == Answer(429, retry_after="120")
