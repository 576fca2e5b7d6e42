"""Agents for tests: in this process, or, to be killed, in one of their own.

The latter are `python -m tests.contract.agent.nodes URL STATE TOOLS`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import psutil

from agent.app import Agent, Shutdown
from agent.backoff import Sleep
from agent.client import ControlPlane
from agent.process import Ladder
from agent.sandbox.none import Unconfined
from agent.settings import load
from agent.state import State
from tests.contract.agent.control_plane import CREDENTIAL

STAND_INS: Final = Path(__file__).parent / "stand_ins"
Mode = Literal["honest", "hangs", "deaf", "disk_full", "guilty_output", "empty", "talkative"]


@dataclass(frozen=True)
class Tools:
    """The stand-in for ffmpeg: how it behaves, and which processes of it there were."""

    directory: Path
    programs: Path = STAND_INS

    def behave(self, mode: Mode) -> None:
        (self.directory / "mode").write_text(mode)

    def pids(self) -> list[int]:
        file = self.directory / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def alive(self) -> list[int]:
        return [pid for pid in self.pids() if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True)
class Node:
    task: asyncio.Task[None]
    shutdown: Shutdown
    state: State

    async def ended(self, *, within: float = 20.0) -> None:
        async with asyncio.timeout(within):
            await asyncio.shield(self.task)

    @property
    def is_spooled(self) -> bool:
        return any(self.state.outbox.glob("*.json"))

    @property
    def leftovers(self) -> list[str]:
        """What of any attempt is still on this node's disk."""
        places = (self.state.work, self.state.journal, self.state.outbox)
        return [str(path) for place in places for path in place.iterdir()]


@asynccontextmanager
async def node(
    url: str, state: Path, tools: Tools, *, sleep: Sleep | None = None, **settings: Any
) -> AsyncIterator[Node]:
    """An agent until the test is over; a test that ends it itself is fine too."""
    shutdown = Shutdown()
    with State(state).claimed() as claimed:
        agent = an_agent(url, claimed, tools, sleep=sleep, **settings)
        task = asyncio.create_task(agent.run(shutdown))
        try:
            yield Node(task, shutdown, claimed)
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()


def an_agent(url: str, state: State, tools: Tools, *, sleep: Sleep | None = None, **settings: Any) -> Agent:
    environment = {"PATH": f"{tools.programs}:/usr/bin:/bin", "STAND_IN": str(tools.directory)}
    usual = {"drain_grace": 20, "report_grace": 5, "scratch_reserve": 0}
    return Agent(
        settings=load(None, state=state.root, **usual | settings),
        state=state,
        client=ControlPlane(url, CREDENTIAL, sleep=briefly, randomly=lambda: 1.0),
        sandbox=Unconfined(environment=environment, ladder=Ladder(quit=0.2, interrupt=0.2)),
        sleep=sleep or briefly,
    )


async def briefly(seconds: float) -> None:
    """Every wait of the agent's is as long as a test can bear."""
    await asyncio.sleep(min(seconds, 0.02))


async def _main(url: str, state: str, tools: str) -> None:
    with State(Path(state)).claimed() as claimed:
        await an_agent(url, claimed, Tools(Path(tools))).run(Shutdown())


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
