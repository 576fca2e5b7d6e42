"""Brings an input into the workspace: in constant memory, from where it broke off, and exactly as long as it was said to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp

from agent.client import ControlPlane, Unreachable
from agent.jobs.failure import INPUT_CHANGED, INPUT_MISSING, INPUT_UNREACHABLE, SCRATCH_FULL, AttemptFailed
from shared.errors import ErrorCode, TranscoderError
from shared.protocol import InputSpec

PATIENCE: Final = 3600.0
"""Seconds without one new byte after which the node gives up."""
_PORTION: Final = 1 << 20

OnBytes = Callable[[int], None]


async def fetch(client: ControlPlane, source: InputSpec, target: Path, on_bytes: OnBytes) -> None:
    """Raises AttemptFailed when the input is gone, is not what it was, or stays out of reach. An empty one is asked for too."""
    _create(target)
    while True:
        got = _size(target)
        try:
            await client.persistently(lambda: _advance(client, source, target, on_bytes), patience=PATIENCE)
        except Unreachable as error:
            raise AttemptFailed(INPUT_UNREACHABLE) from error
        except TranscoderError as error:
            raise AttemptFailed(_FAILURES.get(error.code, INPUT_UNREACHABLE)) from error
        except OSError as error:
            raise AttemptFailed(SCRATCH_FULL) from error
        if _size(target) == source.size:
            return
        if not got < _size(target) < source.size:
            raise AttemptFailed(INPUT_CHANGED)


_FAILURES: Final = {ErrorCode.NOT_FOUND: INPUT_MISSING, ErrorCode.RANGE_NOT_SATISFIABLE: INPUT_CHANGED}


async def _advance(client: ControlPlane, source: InputSpec, target: Path, on_bytes: OnBytes) -> None:
    """One connection. What it brought before it broke counts: the next one goes on from there, as patient as the first."""
    start = _size(target)
    try:
        async with client.download(source.url, offset=start) as response:
            await _write(
                response, target, offset=start if response.status == 206 else 0, limit=source.size, on_bytes=on_bytes
            )
    except Unreachable:
        if _size(target) <= start:
            raise


async def _write(response: aiohttp.ClientResponse, target: Path, *, offset: int, limit: int, on_bytes: OnBytes) -> None:
    """Appends, from `offset` on, what comes; stops one portion after the limit, because that is too much already."""
    with target.open("r+b") as file:
        file.truncate(offset)
        file.seek(offset)
        async for portion in response.content.iter_chunked(_PORTION):
            await asyncio.to_thread(file.write, portion)
            on_bytes(len(portion))
            if file.tell() > limit:
                return


def _create(target: Path) -> None:
    target.touch(mode=0o600)


def _size(target: Path) -> int:
    return target.stat().st_size
