"""Pipes that are wanted once somebody reads them, and what is left of the wait when nobody ever does."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from agent.feeders import wanted


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def waiting() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "reader of pipe"]


async def test_a_pipe_is_wanted_when_somebody_reads_it(pipe: Path) -> None:
    told: list[str] = []

    async def write() -> None:
        async with wanted(pipe):
            told.append("wanted")
            with pipe.open("wb") as end:
                end.write(b"pictures")

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert told == []
    assert await asyncio.to_thread(pipe.read_bytes) == b"pictures"
    await writing
    assert told == ["wanted"]


async def test_who_waits_in_vain_leaves_nothing_behind(pipe: Path) -> None:
    before = descriptors()
    vain = asyncio.create_task(wanted(pipe).__aenter__())
    await asyncio.sleep(0)
    [thread] = waiting()
    vain.cancel()
    await asyncio.wait({vain})
    assert vain.cancelled()
    assert not thread.is_alive()
    assert descriptors() == before


async def test_a_pipe_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with wanted(tmp_path / "none"):
            pass
