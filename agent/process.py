"""Supervises one child and everything it starts. Knows nothing of what the child does.

However `supervise` is left (the child ends, is stopped, runs out of time, the caller is cancelled), the child and all it
started are gone. Both pipes are always drained; of stderr only the tail is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, Self

import psutil

STDERR_TAIL: Final = 16 * 1024
_CHUNK: Final = 64 * 1024

OnStdout = Callable[[bytes], None]
"""Gets stdout in pieces as they come, not split into lines. Runs in the event loop: be quick."""


class EndedBy(StrEnum):
    """Why the child ended: the reason is recorded before it is made to."""

    ITSELF = "itself"
    STOP = "stop"
    TIME_LIMIT = "time_limit"


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


class StopRequest:
    """Asked once, by anybody, for one child or several in a row; whoever supervises acts on it."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def ask(self) -> None:
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


class Child(Protocol):
    """A process that was started elsewhere or here."""

    async def wait(self) -> int:
        """Its exit code, or the negative number of the signal that killed it. May be awaited often."""
        ...

    def interrupt(self) -> None: ...

    def kill(self) -> None:
        """The child and everything it started, at once; also what it left behind when it is already gone."""
        ...


@dataclass(frozen=True)
class Pipes:
    """The child's ends of its three pipes, closed here as soon as the child has them."""

    stdin: int
    stdout: int
    stderr: int


Spawn = Callable[[Pipes], Awaitable[Child]]
