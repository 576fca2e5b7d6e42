"""Nodes as processes of their own, behind a network that can be cut.

A node is `python -m tests.e2e.edge URL STATE TOOLS`, with its credential in the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from agent.app import Agent, Shutdown
from agent.client import ControlPlane
from agent.process import Ladder
from agent.sandbox.none import Unconfined
from agent.settings import load
from agent.state import State
from shared.protocol import EnrolRequest
from tests.contract.agent.nodes import Tools
from tests.e2e.processes import Client

ROOT = Path(__file__).parents[2]


class Network:
    """Between the nodes and their control plane. Cut, it takes what is sent and says nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_cut = False
        self._links: set[asyncio.StreamWriter] = set()
        self.url = ""

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    def cut(self) -> None:
        self._is_cut = True

    def heal(self) -> None:
        """What was open while it was cut is broken now."""
        self._is_cut = False
        for link in self._links:
            link.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._links |= {writer, far_writer}
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
            self._links -= {writer, far_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while content := await reader.read(65536):
                if not self._is_cut:
                    writer.write(content)
                    await writer.drain()
        writer.close()


class Edge:
    """One node: its process, and what it works with."""

    def __init__(self, node_id: str, process: asyncio.subprocess.Process, tools: Tools) -> None:
        self.node_id = node_id
        self.process = process
        self.tools = tools

    def vanish(self) -> None:
        """The machine is gone, or as good as gone: nothing more is heard of it."""
        self.process.send_signal(signal.SIGSTOP)


@asynccontextmanager
async def edges(
    url: str, operator: Client, home: Path, count: int, program: Sequence[str] = ()
) -> AsyncIterator[list[Edge]]:
    """Nodes of one cluster, each of which can do one thing at a time, with an ffmpeg that hangs.

    `program` stands before the module that each runs.
    """
    await operator.call("POST", "/v1/clusters", {"id": "edge"})
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(_edge(url, operator, home / f"edge-{name}", program))
            for name in range(count)
        ]


@asynccontextmanager
async def _edge(url: str, operator: Client, home: Path, program: Sequence[str]) -> AsyncIterator[Edge]:
    token = (await operator.call("POST", "/v1/clusters/edge/join-tokens", {"expires_in": 60}))["token"]
    asked = EnrolRequest(join_token=token, hostname=home.name).model_dump_json().encode()
    made = await operator.call("POST", "/agent/v1/enrol", asked)
    tools = Tools(home / "tools")
    tools.directory.mkdir(parents=True)
    tools.behave("hangs")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *program, "tests.e2e.edge", url, str(home / "state"), str(tools.directory)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CREDENTIAL": made["credential"]},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Edge(made["node_id"], process, tools)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _main(url: str, state: str, directory: str) -> None:
    tools = Tools(Path(directory))
    environment = {"PATH": f"{tools.programs}:/usr/bin:/bin", "STAND_IN": str(tools.directory)}
    with State(Path(state)).claimed() as claimed:
        agent = Agent(
            settings=load(None, state=claimed.root, scratch_reserve=0, max_cpu_threads=1),
            state=claimed,
            client=ControlPlane(url, os.environ["CREDENTIAL"]),
            sandbox=Unconfined(environment=environment, ladder=Ladder(quit=0.2, interrupt=0.2)),
        )
        await agent.run(Shutdown())


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
