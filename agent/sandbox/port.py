"""What every way of confining ffmpeg offers, and the limits it keeps."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from agent.feeders import Feeder
from agent.process import EndedBy, Exit, OnStderr, OnStdout, StopRequest, unheard
from agent.vigil import Vigil

PROGRAMS: Final = frozenset({"ffmpeg", "ffprobe"})
"""All that is ever run confined: `argv[0]` is one of these names, never a path."""

ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "SVT_LOG": "1",
}
"""All that a confined program sees of the environment. CUDA counts cards as NVML does, not the fastest first; SVT-AV1
tells of errors only."""

GIB: Final = 1024**3


@dataclass(frozen=True)
class Limits:
    """Of one run; sizes in bytes, times in seconds. `file_size` is of the biggest file it may write.

    `memory` is a wall against bombs, not an estimate: what ffmpeg reserves is about twice what it uses, so that less than
    the default is taken for the default.
    """

    file_size: int = 100 * GIB
    wall_time: float = 24 * 3600.0
    memory: int = 4 * GIB
    processes: int = 512
    nice: int = 10

    @property
    def reserved_memory(self) -> int:
        return max(self.memory, 4 * GIB)


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
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        limits: Limits,
        on_stdout: OnStdout,
        stop: StopRequest,
        on_stderr: OnStderr = unheard,
        vigil: Vigil | None = None,
        feeders: Sequence[Feeder] = (),
    ) -> Exit:
        """Run to its end with the workspace as working directory; file names in `argv` are relative to it.

        `feeders` run beside it, confined alike, each from when it opens their pipe in the workspace; where one fails, so does
        the run.
        Two runs in one workspace may have to take turns. When it returns or raises, nothing of the run is left, and the
        workspace holds only files and directories.
        """
        ...


def require_programs(*commands: Sequence[str]) -> None:
    for argv in commands:
        if not argv or argv[0] not in PROGRAMS:
            raise ConfinementError(f"Only {' and '.join(sorted(PROGRAMS))} are run, not {argv[:1]}.")


def rlimits(limits: Limits) -> tuple[str, ...]:
    """A prefix for a command line. Of memory, what is writable and private counts: address space says nothing with CUDA."""
    return (
        *("nice", "-n", str(limits.nice)),
        *("prlimit", f"--fsize={limits.file_size}", f"--data={limits.reserved_memory}", f"--nproc={limits.processes}"),
        *("--core=0", "--"),
    )


async def trial(sandbox: Sandbox, parent: Path | None = None) -> str | None:
    """Run something harmless in it; what went wrong, or None."""
    with TemporaryDirectory(prefix="trial-", dir=parent) as workspace:
        try:
            ended = await sandbox.run(
                ["ffmpeg", "-version"],
                workspace=Path(workspace),
                limits=Limits(wall_time=30.0),
                on_stdout=lambda _: None,
                stop=StopRequest(),
            )
        except (ConfinementError, OSError) as error:
            return str(error)
    if ended.ended_by is EndedBy.TIME_LIMIT:
        return "ffmpeg -version did not end within 30 s"
    return None if ended.is_success else ended.stderr.decode(errors="replace").strip() or f"ffmpeg ended with {ended}"


def sweep(workspace: Path) -> None:
    """Leave only files and directories: the agent must never follow a link that a taken-over ffmpeg made."""
    for directory, names, files in os.walk(workspace):
        for name in (*names, *files):
            entry = Path(directory, name)
            mode = entry.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                entry.unlink()
