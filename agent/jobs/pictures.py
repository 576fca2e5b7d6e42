"""Looks at the still pictures of a job before anything is planned with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from agent.media import Still, demuxer_of, parse_still, still_probe_argv
from agent.media.pictures import UNREADABLE
from agent.sandbox import Exit
from shared.failures import Failure
from shared.protocol import TranscodeFile

Capture = Callable[[Sequence[str]], Awaitable[tuple[bytes, Exit]]]
"""Runs a probe, confined; what it wrote, and how it ended."""


async def stills(
    task: TranscodeFile, lost: Mapping[int, Failure], place: Callable[[int], Path], capture: Capture
) -> Mapping[int, Still | Failure]:
    """Of every watermark, by its place in the row of inputs; `lost` are those that could not be fetched."""
    wanted = sorted({mark.input for output in task.outputs for mark in output.watermarks})
    return {source: lost.get(source) or await _still(source, place(source), capture) for source in wanted}


async def _still(source: int, file: Path, capture: Capture) -> Still | Failure:
    demuxer = demuxer_of(await asyncio.to_thread(_head, file))
    if demuxer is None:
        return UNREADABLE
    output, ended = await capture(still_probe_argv(f"in/{source}", demuxer))
    return parse_still(output, demuxer, stderr=ended.stderr)


def _head(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(16)
