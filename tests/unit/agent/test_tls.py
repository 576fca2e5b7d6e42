"""Whom the agent trusts."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.client import is_reachable, trust


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "server.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *subject]
    subprocess.run([*made, "-keyout", tmp_path / "key.pem", "-out", file], check=True, capture_output=True)
    return file


@pytest.fixture
async def server(certificate: Path) -> AsyncIterator[TestServer]:
    async def healthy(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/healthz", healthy)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=tls)
    yield server
    await server.close()


async def test_a_control_plane_of_our_own_authority_is_trusted(server: TestServer, certificate: Path) -> None:
    assert await is_reachable(str(server.make_url("/")), tls=trust(certificate))


async def test_a_control_plane_of_any_other_authority_is_not(server: TestServer) -> None:
    assert not await is_reachable(str(server.make_url("/")), tls=trust(None))
