"""Programs that write to pipes what another reads, one after the other, each not before it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final

CAPACITY: Final = 1 << 20
"""Bytes in a pipe, where the machine allows so many: a picture goes through at once."""


@dataclass(frozen=True)
class Feeder:
    argv: Sequence[str]
    pipe: Path
    """A FIFO, which it opens to write and the other to read."""


@asynccontextmanager
async def wanted(pipe: Path) -> AsyncIterator[None]:
    """From when somebody has opened it to read.

    Meanwhile both ends are held here too: who writes is not ended by a reader that needs no more, and who reads does not find
    it at its end before it is known how the writer ended.
    """
    writing = await _read_by_somebody(pipe)
    try:
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with contextlib.suppress(OSError):
                fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, CAPACITY)
            yield
        finally:
            os.close(reading)
    finally:
        os.close(writing)


async def _read_by_somebody(pipe: Path) -> int:
    """Its other end. Only who waits in `open` is told, which may take long: a thread waits there that has nothing else to do."""
    end: Future[int] = Future()
    end.set_running_or_notify_cancel()  # it comes to something, whatever becomes of who awaits it
    waiting = Thread(target=_open_to_write, args=(pipe, end), name=f"reader of {pipe.name}", daemon=True)
    waiting.start()
    try:
        return await asyncio.wrap_future(end)
    except asyncio.CancelledError:
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # for which it waits, or finds it at once
        waiting.join()
        os.close(reading)
        if end.exception() is None:
            os.close(end.result())
        raise


def _open_to_write(pipe: Path, end: Future[int]) -> None:
    try:
        end.set_result(os.open(pipe, os.O_WRONLY))
    except OSError as error:
        end.set_exception(error)
