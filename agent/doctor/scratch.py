"""The disk of the workspaces: room, and how fast it writes to the medium and reads back."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from agent.capacity.scratch import space
from agent.doctor.finding import Finding, failure, good, warning
from agent.doctor.subject import Subject
from shared.clock import Clock, SystemClock

SIZE: Final = 64 << 20
SLOW: Final = 50 << 20
"""Bytes a second: less holds back even one encode of a high rate with its input and its outputs."""
LEAST: Final = 1 << 30
_BLOCK: Final = 1 << 20


class Speed(NamedTuple):
    """Bytes a second."""

    write: float
    read: float


async def check(subject: Subject) -> list[Finding]:
    disk = space(subject.work, subject.settings.scratch_reserve)
    free = disk.left
    if free < max(LEAST, SIZE):
        return [
            failure(
                f"{subject.work} has {_gib(free)} beyond the reserve of {_gib(disk.reserve)}",
                "make room on this disk, or set scratch_reserve or state in /etc/transcoder/agent.toml",
            )
        ]
    try:
        speed = await asyncio.to_thread(measure, subject.work, SystemClock())
    except OSError as error:
        return [failure(f"{subject.work} cannot be written: {error.strerror}", "dmesg | tail: the disk may be failing")]
    return [judged(free, speed)]


def judged(free: int, speed: Speed) -> Finding:
    said = f"{_gib(free)} for work, writes {_mib(speed.write)}/s, reads {_mib(speed.read)}/s"
    if min(speed) < SLOW:
        return warning(said, "put the agent's state on a faster disk")
    return good(said)


def measure(directory: Path, clock: Clock) -> Speed:
    """Written through to the medium, and read without what memory remembers of it."""
    block = os.urandom(_BLOCK)
    with tempfile.TemporaryFile(dir=directory) as file:
        began = clock.monotonic()
        for _ in range(SIZE // _BLOCK):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        written = clock.monotonic()
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        while file.read(_BLOCK):
            pass
        read = clock.monotonic()
    return Speed(SIZE / max(written - began, 1e-6), SIZE / max(read - written, 1e-6))


def _gib(size: float) -> str:
    return f"{size / (1 << 30):.1f} GiB"


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.0f} MiB"
