"""Tries a program as the work would run it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.capacity.found import Surroundings
from agent.sandbox import Exit, Limits, StopRequest

_LIMITS: Final = Limits(file_size=1 << 20)


async def try_out(around: Surroundings, argv: Sequence[str], *, within: float) -> tuple[bytes, Exit]:
    """What the program wrote, and how it ended; within so many seconds it is gone."""
    limits = Limits(file_size=_LIMITS.file_size, wall_time=within)
    written = bytearray()
    room = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="probe.", dir=around.work))
    try:
        ended = await around.sandbox.run(
            argv, workspace=room, limits=limits, on_stdout=written.extend, stop=StopRequest()
        )
    finally:
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)
    return bytes(written), ended
