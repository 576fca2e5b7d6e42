"""What every way of confining ffmpeg offers, and the limits it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from agent.process import Exit, OnStdout, StopRequest

PROGRAMS: Final = frozenset({"ffmpeg", "ffprobe"})
"""All that is ever run confined: `argv[0]` is one of these names, never a path."""

GIB: Final = 1024**3


@dataclass(frozen=True)
class Limits:
    """Of one run; sizes in bytes, times in seconds."""

    file_size: int = 100 * GIB
    wall_time: float = 24 * 3600.0
    memory: int = 4 * GIB
    processes: int = 512
    nice: int = 10


class ConfinementError(Exception):
    """The confinement failed, not the program in it: the node's fault."""


class Sandbox(Protocol):
    """Runs ffmpeg and ffprobe with no network and nothing of the machine but one workspace."""

    name: str
    """As told to operators: "systemd", "bubblewrap" or "none"."""

    async def check(self) -> str | None:
        """Why it does not work here, or None: tried, not assumed."""
        ...

    async def run(
        self, argv: Sequence[str], *, workspace: Path, limits: Limits, on_stdout: OnStdout, stop: StopRequest
    ) -> Exit:
        """Run to its end with the workspace as working directory; file names in `argv` are relative to it.

        Two runs in one workspace take turns. When it returns or raises, nothing of the run is left.
        """
        ...
