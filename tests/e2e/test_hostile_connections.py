"""Callers that take their time, in crowds: they are closed, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import socket
import statistics
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.builders import a_document
from tests.e2e.callers import ScriptedNode, a_pipeline
from tests.e2e.processes import Client, Server, running
from tests.soak import times

pytestmark = pytest.mark.timeout(times(120, 900))

LIMIT: Final = times(3, 10)
CROWD: Final = times(120, 1000)
SETTINGS: Final = {"TRANSCODER_HEADER_TIMEOUT": str(LIMIT), "TRANSCODER_STALL_TIMEOUT": str(LIMIT)}
CLOSED_WITHIN: Final = 1.5 * LIMIT
GIVEN_UP: Final = 60.0
MIB: Final = 1 << 20
TCP_ESTABLISHED: Final = 1
_numbers = itertools.count()

Slow = Callable[["Place"], Coroutine[None, None, float]]


@dataclass(frozen=True)
class Place:
    """A service under attack, and what an attacker knows of it."""

    server: Server
    tenant: Client
    operator: Client
    big: str
    """Path of a large object's link."""
    drip_every: float = LIMIT / 40

    async def upload_path(self) -> str:
        """Another one each time: two connections cannot send the same upload."""
        made = await self.tenant.call("POST", "/v1/buckets/films/uploads", {"key": f"slow/{next(_numbers)}"})
        return urlsplit(made["url"]).path

    @asynccontextmanager
    async def connection(self, address: str | None = None) -> AsyncIterator[socket.socket]:
        """From an address that few others have, when none is given."""
        number = next(_numbers)
        source = address or f"127.3.{number // 50 % 250}.{1 + number // 12_500}"
        target = urlsplit(self.server.url)
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(sock, (target.hostname, target.port))
            yield sock


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with running(tmp_path / "state", SETTINGS) as (server, tenant, operator):
        await tenant.call("POST", "/v1/buckets", {"name": "films"})
        (films,) = server.state.glob("buckets/*/films")
        (films / "big").write_bytes(bytes(16 * MIB))
        big = await tenant.call("POST", "/v1/buckets/films/links", {"key": "big"})
        yield Place(server, tenant, operator, urlsplit(big["url"]).path)


async def test_slow_callers_are_closed_while_polls_and_streams_live_and_others_are_answered(place: Place) -> None:
    pipeline_id = await a_pipeline(place.tenant)
    await place.tenant.call("POST", f"/v1/pipelines/{pipeline_id}/pause")
    job = await place.tenant.call("POST", "/v1/jobs", a_document(pipeline_id))
    node = await ScriptedNode.join(place.server.url, place.operator)
    async with aiohttp.ClientSession() as session:
        watching = await session.get(
            f"{place.server.url}/v1/jobs/{job['id']}/events",
            headers={"Authorization": f"Bearer {place.tenant.key}", "Accept": "text/event-stream"},
        )
        await watching.content.readline()
        before = place.server.resident
        polling = asyncio.create_task(node.poll(2 * LIMIT))
        kinds = itertools.islice(itertools.cycle(SLOW), CROWD)
        attacks = [asyncio.create_task(attack(place), name=attack.__name__) for attack in kinds]
        answers = await answer_times(place, attacks)
        assert {attack.get_name(): attack.result() for attack in attacks if attack.result() > CLOSED_WITHIN} == {}
        assert statistics.median(answers) < 0.5
        assert place.server.resident - before < 100 * MIB
        assert not polling.done(), "the poll outlives every limit"
        assert (await polling)["orders"] == []
        await place.tenant.call("POST", f"/v1/jobs/{job['id']}/cancel")
        async with asyncio.timeout(10):
            assert b"event: canceled" in await watching.content.readuntil(b"event: canceled")
        watching.close()
    await node.close()


async def answer_times(place: Place, attacks: list[asyncio.Task[float]]) -> list[float]:
    """Of ordinary calls, one after the other until the last attacker is gone."""
    loop, found = asyncio.get_running_loop(), []
    crowd = asyncio.gather(*attacks)
    while not crowd.done():
        began = loop.time()
        assert (await place.tenant.once("GET", "/v1/jobs"))[0] == 200
        found.append(loop.time() - began)
        await asyncio.wait({crowd}, timeout=0.05)
    await crowd
    return found


async def silence(place: Place) -> float:
    return await lifetime(place)


async def a_head_in_drops(place: Place) -> float:
    return await lifetime(place, b"GET /healthz HTTP/1.1\r\n", drip=b"X-A: b\r\n")


async def a_second_head_in_drops(place: Place) -> float:
    return await lifetime(place, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", drip=b"G")


async def a_document_in_drops(place: Place) -> float:
    return await lifetime(
        place, b"POST /agent/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n{", drip=b" "
    )


async def an_upload_in_drops(place: Place) -> float:
    path = await place.upload_path()
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"
    return await lifetime(place, head.encode(), drip=b"x" * 10)


async def a_body_that_nobody_asked_for(place: Place) -> float:
    head = f"GET {place.big} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    return await lifetime(place, head.encode())


async def a_download_that_nobody_reads(place: Place) -> float:
    return await lifetime(place, f"GET {place.big} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


SLOW: Final[tuple[Slow, ...]] = (
    silence,
    a_head_in_drops,
    a_second_head_in_drops,
    a_document_in_drops,
    an_upload_in_drops,
    a_body_that_nobody_asked_for,
    a_download_that_nobody_reads,
)


async def lifetime(place: Place, head: bytes = b"", drip: bytes = b"") -> float:
    """Seconds until the service ends a connection that says `head`, then a drop now and then, and reads nothing."""
    loop = asyncio.get_running_loop()
    async with place.connection() as sock:
        began = loop.time()
        await loop.sock_sendall(sock, head)
        while is_open(sock) and loop.time() - began < GIVEN_UP:
            await asyncio.sleep(place.drip_every)
            with contextlib.suppress(OSError):
                sock.send(drip)
        return loop.time() - began


def is_open(sock: socket.socket) -> bool:
    """As the kernel tells without anybody reading: the first byte of `struct tcp_info` is the connection's state."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_ESTABLISHED


async def test_one_address_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    settings = {**SETTINGS, "TRANSCODER_MAX_CONNECTIONS_PER_ADDRESS": "20"}
    async with running(tmp_path / "state", settings) as (server, tenant, operator):
        place = Place(server, tenant, operator, "")
        async with AsyncExitStack() as stack:
            crowd = [await stack.enter_async_context(place.connection("127.9.9.9")) for _ in range(25)]
            for refused in crowd[20:]:
                assert (await answer(refused)).startswith(b"HTTP/1.1 429 ")
            assert all(map(is_open, crowd[:20]))
            assert (await tenant.once("GET", "/v1/jobs"))[0] == 200, "another address"


async def test_connections_between_two_requests_make_room_and_polls_take_none(tmp_path: Path) -> None:
    settings = {**SETTINGS, "TRANSCODER_MAX_CONNECTIONS_PER_ADDRESS": "4"}
    async with running(tmp_path / "state", settings) as (server, tenant, operator):
        await operator.call("POST", "/v1/clusters", {"id": "c"})
        nodes = [await ScriptedNode.enrol(server.url, operator) for _ in range(8)]
        polls = []
        for node in nodes:
            polls.append(asyncio.create_task(node.poll(10)))
            await tenant.call("GET", "/v1/jobs")
        for _ in range(20):
            await tenant.call("GET", "/v1/jobs")
            async with aiohttp.ClientSession() as session, session.get(f"{server.url}/healthz") as response:
                assert response.status == 200
        assert not any(poll.done() for poll in polls)
        for poll, node in zip(polls, nodes, strict=True):
            poll.cancel()
            await node.close()


async def test_behind_a_proxy_callers_are_counted_by_the_address_it_tells(tmp_path: Path) -> None:
    settings = {**SETTINGS, "TRANSCODER_MAX_CONNECTIONS_PER_ADDRESS": "3", "TRANSCODER_BEHIND_PROXY": "true"}
    async with running(tmp_path / "state", settings) as (server, tenant, operator):
        place = Place(server, tenant, operator, "")
        slow = b"POST /agent/v1/enrol HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\nContent-Length: 9\r\n\r\n"
        async with AsyncExitStack() as stack:
            crowd = [await stack.enter_async_context(place.connection("127.0.0.1")) for _ in range(5)]
            for sock in crowd[:4]:
                sock.send(slow % b"192.0.2.8, 192.0.2.7")
            answers = [asyncio.ensure_future(answer(sock)) for sock in crowd[:4]]  # whichever came last is one too many
            told, waiting = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            assert [one.result().startswith(b"HTTP/1.1 429 ") for one in told] == [True]
            for one in waiting:
                one.cancel()
            crowd[4].send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7, 192.0.2.8\r\n\r\n")
            assert (await answer(crowd[4])).startswith(b"HTTP/1.1 200 ")


async def answer(sock: socket.socket) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(sock, 4096)


async def test_bombs_are_refused_unopened_on_every_route_with_a_body(place: Place) -> None:
    zeros = bytes(64 * MIB)
    deflated = zlib.compress(zeros, 9)
    gzipped = gzip.compress(zeros, 9)
    before = place.server.resident
    headers = {"Authorization": f"Bearer {place.tenant.key}"}
    paths = [
        ("POST", "/v1/jobs"),
        ("POST", "/v1/presets"),
        ("POST", "/agent/v1/enrol"),
        ("PUT", await place.upload_path()),
    ]
    async with aiohttp.ClientSession(headers=headers) as session:
        for method, path in paths:
            for encoding, bomb in (("gzip", gzipped), ("deflate", deflated), ("br", deflated)):
                sent = {"Content-Encoding": encoding}
                async with session.request(method, place.server.url + path, data=bomb, headers=sent) as response:
                    assert response.status == 415, await response.text()
                    assert (await response.json(content_type=None))["code"] == "unsupported_encoding"
    assert place.server.resident - before < 16 * MIB
