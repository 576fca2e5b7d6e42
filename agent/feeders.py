"""Programs that write to pipes what another reads, one after the other, each not before it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CAPACITY: Final = 1 << 20
"""Bytes in a pipe, where the machine allows so many: a picture goes through at once."""
_BETWEEN_LOOKS: Final = 0.01


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
    """Its other end. Nothing tells when it can be had."""
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            await asyncio.sleep(_BETWEEN_LOOKS)
