"""What the tests of every confinement need: something to encode, and a look at what runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agent.feeders import Feeder
from agent.process import Exit, Ladder, StopRequest
from agent.sandbox.port import Limits, Sandbox
from agent.vigil import Vigil

QUICK = Ladder(quit=2.0, interrupt=0.2)


def endless(name: str) -> list[str]:
    """An encode that goes on in real time until it is ended, and tells so on stdout."""
    source = "testsrc2=size=64x64:rate=25"
    quiet = ("-v", "error", "-progress", "pipe:1", "-stats_period", "0.1")
    return ["ffmpeg", *quiet, "-re", "-f", "lavfi", "-i", source, "-y", f"file:{name}"]


def feeder(pipe: Path, seconds: float = 0.2) -> Feeder:
    """Writes pictures to a pipe in a workspace."""
    source = f"testsrc2=size=64x64:rate=25:d={seconds}"
    quiet = ("-v", "error", "-f", "lavfi", "-i", source, "-c:v", "rawvideo")
    return Feeder(["ffmpeg", *quiet, "-f", "nut", "-y", f"file:{pipe.name}"], pipe)


def eater(pipe: str, file: str) -> list[str]:
    """Keeps what comes through it, and tells so on stdout."""
    return [
        "ffmpeg",
        "-v",
        "error",
        "-progress",
        "pipe:1",
        "-stats_period",
        "0.1",
        "-i",
        f"file:{pipe}",
        "-c",
        "copy",
        "-y",
        f"file:{file}",
    ]


class Run:
    """One run in a sandbox, in the background."""

    def __init__(
        self,
        sandbox: Sandbox,
        workspace: Path,
        argv: Sequence[str],
        limits: Limits | None = None,
        vigil: Vigil | None = None,
        feeders: Sequence[Feeder] = (),
    ) -> None:
        self.stop = StopRequest()
        self.stdout = bytearray()
        self.has_spoken = asyncio.Event()
        self.task = asyncio.create_task(
            sandbox.run(
                argv,
                workspace=workspace,
                limits=limits or Limits(),
                on_stdout=self._hear,
                stop=self.stop,
                vigil=vigil,
                feeders=feeders,
            )
        )

    def _hear(self, chunk: bytes) -> None:
        self.stdout += chunk
        self.has_spoken.set()

    async def spoke(self) -> None:
        """Until it says something; a run that ended without a word is told as it ended."""
        speaking = asyncio.create_task(self.has_spoken.wait())
        await asyncio.wait((speaking, self.task), return_when=asyncio.FIRST_COMPLETED)
        speaking.cancel()
        assert self.has_spoken.is_set(), await self.task

    async def ended(self) -> Exit:
        return await self.task


def is_running(word: str) -> bool:
    """Whether any process of this machine has a word like this on its command line."""
    return any(word.encode() in command_line(process) for process in Path("/proc").glob("[0-9]*"))


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
