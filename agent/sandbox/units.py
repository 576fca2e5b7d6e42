"""Confinement by systemd: every run has a unit of its own, without network, with one workspace and a cgroup.

The agent may not start units, and need not: `transcoder-encode@N.service` instances stand ready, each a launcher that
waits on `N.sock` and serves one run. A unit sees one directory, its slot; the workspace of a run is moved into the slot
for as long as the run lasts, and a link in its old place keeps every path valid.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self
from weakref import WeakValueDictionary

import structlog

from agent.feeders import Feeder
from agent.process import LADDER, Exit, Ladder, OnStderr, OnStdout, Pipes, StopRequest, supervise, unheard
from agent.sandbox.port import ConfinementError, Limits, require_programs, sweep, trial
from agent.vigil import Vigil

log = structlog.get_logger()

SOCKETS: Final = Path("/run/transcoder/encode")
SLOTS: Final = Path("/var/lib/transcoder/agent/slots")

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START: Final = 15.0
"""Seconds that a unit may take to start ffmpeg; it is busy with its own start when it has just served another run."""


@dataclass(frozen=True)
class Slot:
    """One encode unit: where it listens, and the directory that it sees."""

    socket: Path
    directory: Path


class Units:
    """ffmpeg in `transcoder-encode@.service`."""

    name = "systemd"

    def __init__(
        self,
        *,
        workspaces: Path,
        sockets: Path = SOCKETS,
        slots: Path = SLOTS,
        ladder: Ladder = LADDER,
        is_alone: bool = True,
    ) -> None:
        self._workspaces = workspaces
        self._is_alone = is_alone
        self._slots = [Slot(path, slots / path.stem) for path in sorted(sockets.glob("*.sock"))]
        self._free: asyncio.Queue[Slot] = asyncio.Queue()  # the one longest unused first: it has had time to start anew
        for slot in self._slots:
            self._free.put_nowait(slot)
        self._turns: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()
        self._ladder = ladder

    async def check(self) -> str | None:
        if not self._slots:
            return "there is no encode unit"
        if not self._is_alone:
            return await trial(self, self._workspaces)
        self._workspaces.mkdir(parents=True, exist_ok=True)
        self._use([slot for slot in self._slots if _is_cleared(slot.directory)])
        if self._free.empty():
            return "no encode unit's directory could be cleared"
        _remove_dead_links(self._workspaces)
        return await trial(self, self._workspaces)

    def _use(self, slots: Sequence[Slot]) -> None:
        """Hand out these and no others."""
        while not self._free.empty():
            self._free.get_nowait()
        for slot in slots:
            self._free.put_nowait(slot)

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
        turn = self._turns.setdefault(workspace, asyncio.Lock())  # a workspace can be in one slot at a time
        async with turn:
            slot = await self._free.get()
            try:
                with _lent(workspace, slot.directory):
                    return await supervise(
                        partial(_RemoteChild.start, slot.socket, _order(argv, workspace, limits)),
                        on_stdout=on_stdout,
                        stop=stop,
                        on_stderr=on_stderr,
                        vigil=vigil,
                        feeders=feeders,
                        wall_time=limits.wall_time,
                        ladder=self._ladder,
                    )
            finally:
                self._free.put_nowait(slot)


def _order(argv: Sequence[str], workspace: Path, limits: Limits) -> bytes:
    kept = {"file_size": limits.file_size, "memory": limits.reserved_memory}  # the unit keeps the others
    return json.dumps({"argv": list(argv), "workspace": workspace.name, "limits": kept}).encode()


class _RemoteChild:
    """A child of the launcher at the other end of a connection."""

    def __init__(self, launcher: socket.socket) -> None:
        self._launcher = launcher
        self._is_killed = False
        self._cpu: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._beside: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(cls, address: Path, order: bytes, pipes: Pipes) -> Self:
        launcher = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout(_START):
                launcher.connect(str(address))
                socket.send_fds(launcher, [order], [pipes.stdin, pipes.stdout, pipes.stderr])
                answer = await asyncio.get_running_loop().sock_recv(launcher, 16)
        except (OSError, TimeoutError) as error:
            launcher.close()
            raise ConfinementError(
                f"The encode unit at {address} does not answer: {error or 'time is over'}."
            ) from error
        except BaseException:
            launcher.close()
            raise
        if answer != b"started":
            launcher.close()
            raise ConfinementError(f"The encode unit at {address} refused the order: {answer.decode()!r}.")
        return cls(launcher)

    async def wait(self) -> int:
        try:
            told = await self._last_word()
        except ConnectionError:
            told = b""
        finally:
            self._launcher.close()
        if told:
            return int(told)
        if self._is_killed:
            return -signal.SIGKILL
        raise ConfinementError("The encode unit was killed while it ran: out of memory, or by its owner.")

    async def _last_word(self) -> bytes:
        """What comes before it are answers about processor time, and how programs beside it ended."""
        while True:
            match (told := await asyncio.get_running_loop().sock_recv(self._launcher, 32)).split():
                case [b"cpu", ticks]:
                    if not self._cpu.done():
                        self._cpu.set_result(int(ticks) / _TICKS)
                case [b"beside", code]:
                    self._beside.set_result(int(code))
                case _:
                    return told

    async def beside(self, argv: Sequence[str], pipes: Pipes) -> int:
        """Killed with the other, and not before."""
        self._beside = asyncio.get_running_loop().create_future()
        order = json.dumps({"beside": list(argv)}).encode()
        try:
            socket.send_fds(self._launcher, [order], [pipes.stdin, pipes.stdout, pipes.stderr])
        except OSError as error:
            raise ConfinementError(f"The encode unit refuses a program beside another: {error}.") from error
        return await self._beside

    async def cpu_seconds(self) -> float:
        self._cpu = asyncio.get_running_loop().create_future()
        with contextlib.suppress(OSError):
            self._launcher.send(b"CPU")
        return await self._cpu

    def interrupt(self) -> None:
        with contextlib.suppress(OSError):
            self._launcher.send(b"INT")

    def kill(self) -> None:
        """The launcher kills everything when it hears no more, and then tells so."""
        self._is_killed = True
        with contextlib.suppress(OSError):
            self._launcher.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _lent(workspace: Path, slot: Path) -> Iterator[None]:
    """Move the workspace to where the unit sees it, and back."""
    place = slot / workspace.name
    _open_to_unit(workspace)
    workspace.rename(place)
    try:
        workspace.symlink_to(place)
        yield
    finally:
        workspace.unlink(missing_ok=True)
        place.rename(workspace)
        sweep(workspace)


def _open_to_unit(workspace: Path) -> None:
    """The unit runs as another user, in the agent's group."""
    for entry in (workspace, *workspace.rglob("*")):
        status = entry.lstat()
        wanted = stat.S_IMODE(status.st_mode) | (0o770 if stat.S_ISDIR(status.st_mode) else 0o660)
        if status.st_uid == os.geteuid() and wanted != stat.S_IMODE(status.st_mode):
            entry.chmod(wanted)


def _is_cleared(slot: Path) -> bool:
    """Removes what an agent that was killed left in a slot: its run is over, its work is handed back.

    The unit's user can have made directories that only root removes: such a slot is left out, and the others serve.
    """
    try:
        for entry in slot.iterdir():
            shutil.rmtree(entry)
    except OSError as error:
        log.error("slot.left_out", slot=slot.name, reason=error.strerror)
        return False
    return True


def _remove_dead_links(workspaces: Path) -> None:
    for entry in workspaces.iterdir():
        if entry.is_symlink():
            entry.unlink()
