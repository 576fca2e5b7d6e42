"""Looks at the still pictures of a job before anything is planned with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.media import Still, artwork, demuxer_of, parse_still, still_probe_argv
from agent.media.pictures import UNREADABLE
from agent.sandbox import Exit
from shared.failures import Failure, FailureCode
from shared.protocol import TranscodeFile

Capture = Callable[[Sequence[str]], Awaitable[tuple[bytes, Exit]]]
"""Runs a probe, confined; what it wrote, and how it ended."""


async def stills(
    task: TranscodeFile, lost: Mapping[int, Failure], place: Callable[[int], Path], capture: Capture
) -> Mapping[int, Still | Failure]:
    """Of every watermark, by its place in the row of inputs; `lost` are those that could not be fetched."""
    return await _found({mark.input for output in task.outputs for mark in output.watermarks}, lost, place, capture)


async def art(
    task: TranscodeFile, lost: Mapping[int, Failure], place: Callable[[int], Path], capture: Capture
) -> Mapping[int, Still | Failure]:
    """The same of every picture for an album."""
    albums = (output.album_art for output in task.outputs if output.album_art is not None)
    found = await _found({art.input for album in albums for art in album.artwork}, lost, place, capture)
    return {source: still if isinstance(still, Still) else _of_album(still) for source, still in found.items()}


async def _found(
    wanted: set[int], lost: Mapping[int, Failure], place: Callable[[int], Path], capture: Capture
) -> Mapping[int, Still | Failure]:
    return {source: lost.get(source) or await _still(source, place(source), capture) for source in sorted(wanted)}


def _of_album(failure: Failure) -> Failure:
    """What is wrong with a picture is told by another number."""
    return _OF_ALBUMS.get(failure.code, failure)


_OF_ALBUMS: Final = {
    FailureCode.WATERMARK_UNREADABLE: artwork.UNREADABLE,
    FailureCode.WATERMARK_TOO_LARGE: artwork.TOO_LARGE,
}


async def _still(source: int, file: Path, capture: Capture) -> Still | Failure:
    demuxer = demuxer_of(await asyncio.to_thread(_head, file))
    if demuxer is None:
        return UNREADABLE
    output, ended = await capture(still_probe_argv(f"in/{source}", demuxer))
    return parse_still(output, demuxer, stderr=ended.stderr)


def _head(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(16)
