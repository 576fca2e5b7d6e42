"""What this node runs, on disk, so that a start after a crash knows what the crash left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import psutil
import structlog
from pydantic import Field, ValidationError

from agent.files import remove_durably, write_durably
from agent.jobs.workspace import ATTEMPT_NAME, name_of
from shared.ids import JobId
from shared.models import Message
from shared.protocol import AttemptRef, Interruption
from shared.statuses import Phase

_SUPERVISED: Final = frozenset({"ffmpeg", "ffprobe", "bwrap"})

log = structlog.get_logger()


class Entry(Message):
    """One attempt that was accepted and has not ended."""

    ref: AttemptRef
    job_id: JobId
    since_ms: int
    machine: str = Field("", description="The start of the machine during which it ran.")
    phase: Phase = Phase.FETCHING


class Journal:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def note(self, entry: Entry) -> None:
        """Returns when the entry, new or in a new phase, is on disk: before anything of that phase is started."""
        await asyncio.to_thread(write_durably, self._path(entry.ref), entry.model_dump_json().encode())

    async def close(self, ref: AttemptRef) -> None:
        await asyncio.to_thread(remove_durably, self._path(ref))

    def entries(self) -> list[Entry]:
        return [entry for path in sorted(self._directory.glob("*.json")) if (entry := _read(path)) is not None]

    def clear(self) -> None:
        """Once the control plane knows what became of what is in it."""
        for path in self._directory.glob("*.json"):
            path.unlink(missing_ok=True)

    def _path(self, ref: AttemptRef) -> Path:
        return self._directory / f"{name_of(ref)}.json"


def interruption(entry: Entry, *, machine: str) -> Interruption:
    """How an attempt ended that is in the journal of an earlier start."""
    return Interruption(ref=entry.ref, by="kill" if entry.machine == machine else "reboot", phase=entry.phase)


def kill_strangers(work: Path) -> list[int]:
    """Kill what an earlier agent started in a workspace and left running; tells their process ids.

    They are known by the directory they work in, not by number: numbers are used again.
    """
    killed = []
    for process in _strangers(work):
        with contextlib.suppress(psutil.Error):
            process.kill()
            killed.append(process.pid)
    return killed


def _strangers(work: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.name() in _SUPERVISED and _works_below(process.pid, work):
                yield process


def _works_below(pid: int, work: Path) -> bool:
    """Whether its working directory is in a workspace, or, where it has mounts of its own, a workspace is among them."""
    if Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(work):
        return True
    mounts = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return any(is_workspace(PurePosixPath(line.split(" ")[3]), work) for line in mounts)


def is_workspace(source: PurePosixPath, work: Path) -> bool:
    """Whether a mount's source, told from the root of its own file system, is a workspace or lies in one."""
    return any(
        ATTEMPT_NAME.fullmatch(directory.name) and str(work).endswith(str(directory.parent))
        for directory in (source, *source.parents)
    )


def _read(path: Path) -> Entry | None:
    try:
        return Entry.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
