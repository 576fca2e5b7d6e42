"""Puts pictures into files of sound that are verified already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from agent.media import MediaFacts, Still, Verified, artwork, diagnose
from agent.sandbox import Exit
from shared.failures import Failure

Make = Callable[[Sequence[str]], Awaitable[Exit]]
"""Runs ffmpeg, confined."""


async def adorned(
    verified: Verified,
    inputs: Sequence[tuple[int, MediaFacts]],
    stills: Mapping[int, Still | Failure],
    out: Path,
    make: Make,
) -> Verified | Failure:
    """The output with the album art that it is to have; or why that cannot be."""
    output = verified.output
    wanted = output.spec.album_art
    if wanted is None:
        return verified
    named = {art.input: stills[art.input] for art in wanted.artwork}
    lost = next((still for still in named.values() if isinstance(still, Failure)), None)
    if lost is not None:
        return lost
    readable = {source: still for source, still in named.items() if isinstance(still, Still)}
    shown = artwork.pictures(output, inputs, readable)
    if not shown:
        return verified
    if (failure := artwork.unfit(output, shown)) is not None:
        return failure
    for picture in shown:
        ended = await make(picture.argv)
        if not ended.is_success:
            return artwork.EMBEDDED_UNREADABLE if picture.is_of_input else artwork.UNREADABLE
    await asyncio.to_thread(_note, verified, shown, out)
    return await _embedded(verified, shown, out, make)


def _note(verified: Verified, shown: Sequence[artwork.Picture], out: Path) -> None:
    """For formats whose pictures are comments."""
    output = verified.output
    if output.spec.settings.container in artwork.IN_COMMENTS:
        content = artwork.comments((out / shown[0].name).read_bytes(), shown[0].form, shown[0].size)
        (out / artwork.comments_file(output)).write_bytes(content)


async def _embedded(verified: Verified, shown: Sequence[artwork.Picture], out: Path, make: Make) -> Verified | Failure:
    output = verified.output
    target = f"{output.file}.adorned"
    ended = await make(artwork.adorning_argv(output, shown, target=target))
    if not ended.is_success:
        return diagnose(ended.returncode, ended.stderr)
    await asyncio.to_thread((out / target).replace, out / output.file)
    return replace(verified, size=(out / output.file).stat().st_size)
