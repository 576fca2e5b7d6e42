"""A control plane as a process of its own, which can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from pydantic import SecretStr

from controlplane.app import open_store
from controlplane.services.tenants import Tenants
from controlplane.settings import Settings
from shared.clock import SystemClock

ROOT = Path(__file__).parents[2]
LOOKS = 1000
"""For a server that starts, 20 ms apart; not seconds, since a machine that stands still for a while gives it no time either."""


class Server:
    """`transcoder server run`, again and again on the same state and the same port."""

    def __init__(self, state: Path, environment: Mapping[str, str] | None = None, program: Sequence[str] = ()) -> None:
        """`program` stands before the module that is run."""
        self.state = state
        self._program = program
        self._environment = {**os.environ, **QUICK, **(environment or {})}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, dying_at: tuple[str, int] | None = None, *, is_ready: bool = True) -> None:
        """Returns when it is ready; or, to die at a point of `tests.e2e.dying` before it ever is, at once."""
        assert self._process is None
        program = ("tests.e2e.dying", dying_at[0], str(dying_at[1])) if dying_at else ("shared.command",)
        program = (*self._program, *program)
        log = await asyncio.to_thread((self.state / "log").open, "ab")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *program, "server", "run"),
                *("--state", str(self.state), "--port", str(self._port)),
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self._environment,
            )
        if not is_ready:
            return
        async with aiohttp.ClientSession() as session:
            for _ in range(LOOKS):
                if await _is_ready(session, self.url):
                    return
                assert self._process.returncode is None, (self.state / "log").read_text()
                await asyncio.sleep(0.02)
        raise AssertionError(f"not ready: {(self.state / 'log').read_text()}")

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        assert self._process is not None
        return psutil.Process(self._process.pid).memory_info().rss

    @property
    def cpu_seconds(self) -> float:
        """Of work, in the process and in the kernel."""
        assert self._process is not None
        spent = psutil.Process(self._process.pid).cpu_times()
        return float(spent.user + spent.system)

    async def kill(self) -> None:
        """As the kernel kills: without a word."""
        await self._end(signal.SIGKILL)

    async def died(self) -> None:
        """Waits until it has, by its own hand."""
        process, self._process = self._process, None
        assert process is not None
        async with asyncio.timeout(30):
            assert await process.wait() == -signal.SIGKILL

    async def stop(self) -> int:
        """As systemd stops it; the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with suppress(ProcessLookupError):  # it died before: why is told where that was noticed
            process.send_signal(number)
        async with asyncio.timeout(30):
            return await process.wait()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


QUICK = {"TRANSCODER_REAP_INTERVAL": "0.2", "TRANSCODER_REQUESTS_PER_MINUTE": "60000000"}


class Client:
    """A tenant that repeats what was not answered."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self.key = key
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def close(self) -> None:
        await self._session.close()

    async def once(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Raises aiohttp.ClientError when there was no answer."""
        url = path if path.startswith("http") else self._url + path
        content = document if isinstance(document, bytes) else json.dumps(document).encode() if document else None
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self._session.request(method, url, data=content, headers=headers) as response:
            body = await response.read()
            return response.status, json.loads(body) if body.startswith((b"{", b"[")) else body

    async def call(self, method: str, path: str, document: Any = None) -> Any:
        """Until it is answered."""
        async with asyncio.timeout(60):
            while True:
                try:
                    status, answer = await self.once(method, path, document)
                except (aiohttp.ClientError, ConnectionError):
                    await asyncio.sleep(0.02)
                    continue
                if status == 503:
                    await asyncio.sleep(0.02)
                    continue
                assert status < 400, answer
                return answer

    async def every_job(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            page = await self.call("GET", f"/v1/jobs?page_size=200{token}")
            items += page["items"]
            if page["next_page_token"] is None:
                return items
            token = f"&page_token={page['next_page_token']}"


def _settings(state: Path, environment: Mapping[str, str] | None) -> Settings:
    state.mkdir(exist_ok=True)
    database = (environment or {}).get("TRANSCODER_DATABASE")
    return Settings(state=state, database=SecretStr(database) if database else None)


async def make_tenant(state: Path, environment: Mapping[str, str] | None = None) -> str:
    """In the database of a server that does not run: the tenant's key."""
    store = await open_store(_settings(state, environment))
    try:
        tenants = Tenants(store, SystemClock())
        made = await tenants.create("acme", 1)
        _, key = await tenants.create_first_key(made.id, "test", None)
        return key
    finally:
        await store.close()


async def make_operator(state: Path, environment: Mapping[str, str] | None = None) -> str:
    store = await open_store(_settings(state, environment))
    try:
        return await Tenants(store, SystemClock()).create_operator("test")
    finally:
        await store.close()


@asynccontextmanager
async def running(
    state: Path, environment: Mapping[str, str] | None = None, program: Sequence[str] = ()
) -> AsyncIterator[tuple[Server, Client, Client]]:
    """A server with a tenant and an operator."""
    key, operator_key = await make_tenant(state, environment), await make_operator(state, environment)
    server = Server(state, environment, program)
    tenant, operator = Client(server.url, key), Client(server.url, operator_key)
    await server.start()
    try:
        yield server, tenant, operator
    finally:
        await tenant.close()
        await operator.close()
        await server.kill()
