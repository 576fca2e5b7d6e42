"""Confinement by bubblewrap, for agents that run without units of their own: `transcoder up`, containers, laptops."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from agent import process
from agent.feeders import Feeder
from agent.process import LADDER, Exit, Ladder, OnStderr, OnStdout, StopRequest, unheard
from agent.sandbox.port import ENVIRONMENT, ConfinementError, Limits, require_programs, rlimits, sweep, trial
from agent.vigil import Vigil

WORKSPACE: Final = "/workspace"

_NOBODY: Final = ("--unshare-user", "--uid", "65534", "--gid", "65534")
_PROC: Final = ("--proc", "/proc")
ISOLATIONS: Final[tuple[tuple[str, ...], ...]] = (
    ("--unshare-all", *_NOBODY, "--disable-userns", *_PROC),
    ("--unshare-all", *_NOBODY, *_PROC),  # /proc/sys is read-only: systemd-nspawn and other containers
    ("--unshare-all", *_NOBODY),  # parts of /proc are covered, so that the kernel refuses a new one
    ("--unshare-all", *_PROC),  # root where user namespaces are switched off
)
"""From the strictest to the least strict; the first that works here is used. All are without network and capabilities."""


class Bubblewrap:
    """ffmpeg in namespaces of its own, with nothing but /usr to read and one workspace to write."""

    name = "bubblewrap"

    def __init__(self, *, ladder: Ladder = LADDER) -> None:
        self._ladder = ladder
        self._isolation = ISOLATIONS[0]

    async def check(self) -> str | None:
        if shutil.which("bwrap") is None:
            return "bubblewrap is not installed"
        reason = None
        for self._isolation in ISOLATIONS:
            if (reason := await trial(self)) is None:
                break
        return reason

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
        require_programs(argv, *(feeder.argv for feeder in feeders))
        confined = partial(
            command, workspace=workspace, limits=limits, isolation=self._isolation, gpu_nodes=gpu_nodes()
        )
        try:
            ended = await process.run(
                confined(argv),
                cwd=workspace,
                env=ENVIRONMENT,
                on_stdout=on_stdout,
                stop=stop,
                on_stderr=on_stderr,
                vigil=vigil,
                feeders=[replace(feeder, argv=confined(feeder.argv)) for feeder in feeders],
                wall_time=limits.wall_time,
                ladder=self._ladder,
            )
        finally:
            sweep(workspace)
        if ended.code == 1 and ended.stderr.startswith(b"bwrap: "):
            raise ConfinementError(ended.stderr.decode(errors="replace").strip())
        return as_inside(ended)


def command(
    argv: Sequence[str], workspace: Path, limits: Limits, *, isolation: Sequence[str], gpu_nodes: Sequence[Path] = ()
) -> list[str]:
    """The whole command line; pure, so that a test can read it."""
    return [
        *("bwrap", *isolation, "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "encode"),
        *("--clearenv", *_environment()),
        *("--ro-bind", "/usr", "/usr"),
        *("--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
        # ffmpeg's BLAS and NVIDIA's libraries are found through these
        *(
            "--ro-bind-try",
            "/etc/alternatives",
            "/etc/alternatives",
            "--ro-bind-try",
            "/etc/ld.so.cache",
            "/etc/ld.so.cache",
        ),
        *("--dev", "/dev", *_gpu(gpu_nodes)),
        *("--bind", str(workspace), WORKSPACE, "--chdir", WORKSPACE),
        *("--remount-ro", "/dev", "--remount-ro", "/"),  # both are file systems in memory, which no limit counts
        *("--", *rlimits(limits), *argv),
    ]


def _environment() -> list[str]:
    return [word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)]


def _gpu(nodes: Sequence[Path]) -> list[str]:
    """The devices, and where the driver's libraries look for what they are."""
    if not nodes:
        return []
    devices = [word for node in nodes for word in ("--dev-bind", str(node), str(node))]
    return [
        *devices,
        *("--ro-bind-try", "/sys/bus/pci", "/sys/bus/pci", "--ro-bind-try", "/sys/devices", "/sys/devices"),
    ]


def gpu_nodes() -> list[Path]:
    return sorted(Path("/dev").glob("nvidia*"))


def as_inside(ended: Exit) -> Exit:
    """bubblewrap tells a death by signal as 128 and the signal."""
    if ended.code is not None and 128 < ended.code <= 128 + 64:
        return replace(ended, code=None, signal=ended.code - 128)
    return ended
