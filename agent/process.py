"""Supervises one child and everything it starts. Knows nothing of what the child does.

However `supervise` is left (the child ends, is stopped, runs out of time, the caller is cancelled), the child and all
it started are gone. Both pipes are always drained; of stderr only the tail is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Final, Protocol, Self

from agent.family import family
from agent.feeders import Feeder, wanted
from agent.vigil import Vigil

STDERR_TAIL: Final = 16 * 1024
_CHUNK: Final = 64 * 1024
_ESCAPED: Final = 1.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")

OnStdout = Callable[[bytes], None]
"""Gets stdout in pieces as they come, not split into lines. Runs in the event loop: be quick."""
OnStderr = OnStdout


def unheard(chunk: bytes) -> None:
    """For who does not listen."""


class EndedBy(StrEnum):
    """Why the child ended: the reason is recorded before it is made to."""

    ITSELF = "itself"
    STOP = "stop"
    TIME_LIMIT = "time_limit"
    STALL = "stall"


@dataclass(frozen=True)
class Exit:
    """How a child ended: `code`, or the signal that killed it."""

    code: int | None
    signal: int | None = None
    stderr: bytes = b""
    ended_by: EndedBy = EndedBy.ITSELF

    @property
    def is_success(self) -> bool:
        return self.code == 0

    @property
    def returncode(self) -> int:
        """As `subprocess` tells it: the code, or the signal as a negative number."""
        return self.code if self.code is not None else -(self.signal or 0)


class StopRequest:
    """Asked once, by anybody, for one child or several in a row: each of them is made to end."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.is_at_once = False

    def ask(self, *, at_once: bool = False) -> None:
        """`at_once`: there is no time for a child to end in order."""
        self.is_at_once = self.is_at_once or at_once
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self) -> None:
        await self._asked.wait()


@dataclass(frozen=True)
class Ladder:
    """Seconds that a child gets after `q` on its stdin, and then after INT, before everything is killed."""

    quit: float = 5.0
    interrupt: float = 5.0


LADDER: Final = Ladder()


@dataclass(frozen=True)
class Pipes:
    """The child's ends of its three pipes; closed here as soon as the child has them."""

    stdin: int
    stdout: int
    stderr: int

    def close(self) -> None:
        for end in (self.stdin, self.stdout, self.stderr):
            os.close(end)


class Child(Protocol):
    """A process that runs, wherever it was started."""

    async def beside(self, argv: Sequence[str], pipes: Pipes) -> int:
        """Run another program in the same place; how it ended, told as `wait` tells it. `kill` ends it too."""
        ...

    async def wait(self) -> int:
        """Its exit code, or the negative number of the signal that killed it."""
        ...

    async def cpu_seconds(self) -> float:
        """Processor time that it and everything it started have used."""
        ...

    def interrupt(self) -> None:
        """INT to the program that does the work."""
        ...

    def kill(self) -> None:
        """Everything it started too, and what it left behind when it has ended by itself."""
        ...


Spawn = Callable[[Pipes], Awaitable[Child]]


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_stdout: OnStdout,
    stop: StopRequest,
    on_stderr: OnStderr = unheard,
    vigil: Vigil | None = None,
    feeders: Sequence[Feeder] = (),
    wall_time: float | None = None,
    ladder: Ladder = LADDER,
) -> Exit:
    """Run a program of this machine. On the main thread only: the child dies with the thread that started it."""

    async def spawn(pipes: Pipes) -> Child:
        return await _LocalChild.start(argv, cwd, env, pipes)

    return await supervise(
        spawn,
        on_stdout=on_stdout,
        stop=stop,
        on_stderr=on_stderr,
        vigil=vigil,
        feeders=feeders,
        wall_time=wall_time,
        ladder=ladder,
    )


async def supervise(
    spawn: Spawn,
    *,
    on_stdout: OnStdout,
    stop: StopRequest,
    on_stderr: OnStderr = unheard,
    vigil: Vigil | None = None,
    feeders: Sequence[Feeder] = (),
    wall_time: float | None = None,
    ladder: Ladder = LADDER,
) -> Exit:
    """Stay with a child until it and everything it started are gone.

    Each of the `feeders` runs beside it from when the child opens its pipe; they have no stdin and no stdout, and are heard on
    its stderr. Where one fails, so has the child.
    """

    def heard(chunk: bytes) -> None:
        tail.feed(chunk)
        on_stderr(chunk)

    stdin, stdout, stderr, far = _open_pipes()
    with stdin, stdout, stderr:
        try:
            child = await spawn(far)
            exited = asyncio.create_task(child.wait(), name="exit")
            feeding = _Feeding(child, exited, feeders, far.stderr)
        finally:
            far.close()
        tail = _Tail()
        drains = [asyncio.create_task(_drain(stdout, on_stdout)), asyncio.create_task(_drain(stderr, heard))]
        descent = _Descent(child, stdin, stop, vigil, wall_time, ladder)
        returncode = await _attend(child, exited, feeding.task, drains, descent)
        return _told(feeding.failed or returncode, descent.ended_by, bytes(tail.kept))


async def _attend(
    child: Child,
    exited: asyncio.Task[int],
    fed: asyncio.Task[None],
    drains: list[asyncio.Task[None]],
    descent: _Descent,
) -> int:
    ending = asyncio.create_task(descent.run(), name="stop ladder")
    try:
        returncode = await _until_exit(exited, [fed, *drains, ending])
        fed.cancel()
        await asyncio.wait({fed})
        child.kill()
        await _rest(drains)
        return returncode
    finally:
        child.kill()
        for task in (fed, ending, *drains):
            task.cancel()
        await asyncio.wait({exited, fed, ending, *drains})


async def _until_exit(exited: asyncio.Task[int], others: list[asyncio.Task[None]]) -> int:
    """The exit code; raises at once what goes wrong on the way, such as an error of `on_stdout`."""
    pending: set[asyncio.Task[int] | asyncio.Task[None]] = {exited, *others}
    while not exited.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    return exited.result()


class _Feeding:
    """Of a child by others, which have no stdin and no stdout."""

    def __init__(self, child: Child, exited: asyncio.Task[int], feeders: Sequence[Feeder], stderr: int) -> None:
        self._child, self._exited, self._feeders = child, exited, feeders
        self._pipes = Pipes(os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY), os.dup(stderr))
        self.failed = 0
        """How one ended that did not end well, and the child with it."""
        self.task = asyncio.create_task(self._feed(), name="feeders")
        self.task.add_done_callback(lambda _: self._pipes.close())

    async def _feed(self) -> None:
        for feeder in self._feeders:
            async with wanted(feeder.pipe):
                self.failed = await self._child.beside(feeder.argv, self._pipes)
                if self.failed:
                    self._child.kill()
                    await asyncio.wait({self._exited})
                    return


async def _rest(drains: list[asyncio.Task[None]]) -> None:
    """What the pipes still hold. The time limit is for a process that escaped and keeps one open."""
    done, _ = await asyncio.wait(drains, timeout=_ESCAPED)
    for drain in done:
        drain.result()


class _Descent:
    """Makes the child end when it is due: down the ladder when asked, at once when its time is over or it stands still."""

    def __init__(
        self,
        child: Child,
        stdin: FileIO,
        stop: StopRequest,
        vigil: Vigil | None,
        wall_time: float | None,
        ladder: Ladder,
    ) -> None:
        self._child, self._stdin, self._stop, self._ladder = child, stdin, stop, ladder
        self._vigil, self._wall_time = vigil, wall_time
        self.ended_by = EndedBy.ITSELF

    async def run(self) -> None:
        stopped = asyncio.create_task(self._stop.wait(), name="stop request")
        stalled = asyncio.create_task(self._stall(), name="stall")
        try:
            await asyncio.wait({stopped, stalled}, timeout=self._wall_time, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                self.ended_by = EndedBy.STOP
                if not self._stop.is_at_once:
                    await self._ask()
            elif stalled.done():
                stalled.result()
                self.ended_by = EndedBy.STALL
            else:
                self.ended_by = EndedBy.TIME_LIMIT
        finally:
            for task in (stopped, stalled):
                task.cancel()
            await asyncio.wait({stopped, stalled})
        self._child.kill()

    async def _stall(self) -> None:
        """Returns when the child stands still."""
        clock = asyncio.get_running_loop()
        if self._vigil is None:
            await clock.create_future()
            return
        looked = clock.time()
        while True:
            await asyncio.sleep(self._vigil.every)
            elapsed, looked = clock.time() - looked, clock.time()
            if not self._vigil.has_stepped() and self._vigil.is_stalled(await self._child.cpu_seconds(), elapsed):
                return

    async def _ask(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.write(b"q")
        await asyncio.sleep(self._ladder.quit)
        self._child.interrupt()
        await asyncio.sleep(self._ladder.interrupt)


class _Tail:
    def __init__(self) -> None:
        self.kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        self.kept += chunk
        del self.kept[:-STDERR_TAIL]


def _open_pipes() -> tuple[FileIO, FileIO, FileIO, Pipes]:
    """This side's stdin, stdout and stderr, and the child's."""
    (far_in, near_in), (near_out, far_out), (near_err, far_err) = os.pipe(), os.pipe(), os.pipe()
    os.set_blocking(near_in, False)
    return FileIO(near_in, "w"), FileIO(near_out), FileIO(near_err), Pipes(far_in, far_out, far_err)


async def _drain(pipe: FileIO, sink: OnStdout) -> None:
    reader = asyncio.StreamReader(limit=_CHUNK)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    try:
        while chunk := await reader.read(_CHUNK):
            sink(chunk)
    finally:
        transport.close()


def _told(returncode: int, ended_by: EndedBy, stderr: bytes) -> Exit:
    if returncode < 0:
        return Exit(code=None, signal=-returncode, stderr=stderr, ended_by=ended_by)
    return Exit(code=returncode, stderr=stderr, ended_by=ended_by)


class _LocalChild:
    """A child of this process, leader of its own session."""

    def __init__(self, process: asyncio.subprocess.Process, cwd: Path, env: Mapping[str, str]) -> None:
        self._process, self._cwd, self._env = process, cwd, env
        self._feeder: _LocalChild | None = None

    @classmethod
    async def start(cls, argv: Sequence[str], cwd: Path, env: Mapping[str, str], pipes: Pipes) -> Self:
        """`setpriv` has the kernel kill the child when this process dies, however that happens."""
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", "--", *argv),
            stdin=pipes.stdin,
            stdout=pipes.stdout,
            stderr=pipes.stderr,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )
        return cls(process, cwd, env)

    async def wait(self) -> int:
        return await self._process.wait()

    async def beside(self, argv: Sequence[str], pipes: Pipes) -> int:
        self._feeder = feeder = await _LocalChild.start(argv, self._cwd, self._env, pipes)
        try:
            return await feeder.wait()
        finally:
            feeder.kill()
            await feeder.wait()

    async def cpu_seconds(self) -> float:
        fed = await self._feeder.cpu_seconds() if self._feeder else 0.0
        return fed + sum(one.cpu_ticks for one in family(self._process.pid)) / _TICKS

    def interrupt(self) -> None:
        """Only to processes that have no children of their own: those above them are wrappers, which INT would kill."""
        members = family(self._process.pid)
        parents = {one.parent for one in members}
        for one in members:
            if one.pid not in parents:
                _send(one.pid, signal.SIGINT)

    def kill(self) -> None:
        if self._process.returncode is None:
            for one in family(self._process.pid):
                _send(one.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
