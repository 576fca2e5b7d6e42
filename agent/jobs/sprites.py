"""Lays the thumbnails of outputs out on sheets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from agent.media import Verified, diagnose, sprites
from agent.media.diagnosis import FAILURES
from agent.sandbox import Exit
from shared.failures import Failure, FailureReason

Make = Callable[[Sequence[str]], Awaitable[Exit]]
"""Runs ffmpeg, confined."""


async def laid_out(verified: Verified, out: Path, make: Make) -> Verified | Failure:
    """The output with the sheets that it is to have; or why there are none."""
    output, planned = verified.output, verified.output.thumbnails
    if planned is None or planned.spec.sprite is None:
        return verified
    ended = await make(sprites.sheets_argv(output, planned, planned.spec.sprite))
    if not ended.is_success:
        return diagnose(ended.returncode, ended.stderr)
    made = sprites.sheets(
        output, planned, planned.spec.sprite, count=len(verified.thumbnails), seconds=verified.duration
    )
    sizes = await asyncio.to_thread(_sizes, [out / name for name in made.names])
    if not all(sizes):
        return FAILURES[FailureReason.WRITE_FAILED]
    return replace(verified, sheets=replace(made, sizes=sizes))


def _sizes(files: list[Path]) -> tuple[int, ...]:
    return tuple(file.stat().st_size if file.is_file() else 0 for file in files)
