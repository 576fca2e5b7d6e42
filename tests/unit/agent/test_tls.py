"""Whom the agent trusts, over real sockets."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.client import authority, enrol, is_reachable, trust
from agent.refusals import Unreachable
from controlplane import certificates
from controlplane.certificates import Issued
from shared.protocol import EnrolRequest

NOW = dt.datetime.now(dt.UTC)
OURS = certificates.authority(NOW)
REQUEST = EnrolRequest(join_token="t", hostname="edge")


@asynccontextmanager
async def serving(issued: Issued, tmp_path: Path, tokens: list[str] | None = None) -> AsyncIterator[TestServer]:
    """With this certificate; it notes the tokens that reach it."""
    tokens = [] if tokens is None else tokens

    async def healthy(_: web.Request) -> web.Response:
        return web.Response()

    async def take(request: web.Request) -> web.Response:
        tokens.append((await request.json())["join_token"])
        return web.json_response({"node_id": "nd_1", "credential": "c", "cluster_id": "paris-1"})

    async def known_by(_: web.Request) -> web.Response:
        return web.Response(body=OURS.certificate_pem)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthy), web.post("/agent/v1/enrol", take)])
    app.add_routes([web.get("/agent/v1/authority", known_by)])
    file = tmp_path / "server.pem"
    file.write_bytes(issued.certificate_pem + issued.key_pem)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(file)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=tls)
    try:
        yield server
    finally:
        await server.close()


async def test_a_control_plane_of_our_own_authority_is_trusted(tmp_path: Path) -> None:
    async with serving(certificates.server([], OURS, NOW), tmp_path) as server:
        url = str(server.make_url("/"))
        assert await is_reachable(url, tls=trust(pem=OURS.certificate_pem))
        assert (await enrol(url, REQUEST, tls=trust(pem=OURS.certificate_pem))).credential == "c"


async def test_a_control_plane_of_any_other_authority_is_not(tmp_path: Path) -> None:
    async with serving(certificates.server([], certificates.authority(NOW), NOW), tmp_path) as server:
        assert not await is_reachable(str(server.make_url("/")), tls=trust(pem=OURS.certificate_pem))
        assert not await is_reachable(str(server.make_url("/")), tls=trust())


async def test_a_certificate_that_expired_is_said_to_have_and_no_token_sent(tmp_path: Path) -> None:
    long_ago = NOW - dt.timedelta(days=400)
    tokens: list[str] = []
    async with serving(certificates.server([], OURS, long_ago), tmp_path, tokens) as server:
        with pytest.raises(Unreachable, match="certificate has expired"):
            await enrol(str(server.make_url("/")), REQUEST, tls=trust(pem=OURS.certificate_pem))
    assert tokens == []


async def test_anybody_may_show_an_authority_since_its_fingerprint_decides(tmp_path: Path) -> None:
    async with serving(certificates.server([], certificates.authority(NOW), NOW), tmp_path) as server:
        assert await authority(str(server.make_url("/"))) == OURS.certificate_pem


async def test_an_agent_speaks_nothing_older_than_tls_1_2() -> None:
    assert trust().minimum_version is ssl.TLSVersion.TLSv1_2
