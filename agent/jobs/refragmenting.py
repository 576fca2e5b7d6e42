"""Writes fragmented files anew where their playlists want more than ffmpeg wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agent.jobs.draining import Draining
from agent.media import Refragment, Verified, refragment, rewritten
from shared.protocol import TranscodeFile


def refragmented(task: TranscodeFile, verified: Mapping[int, Verified], out: Path) -> dict[int, Verified]:
    """What was verified, as it is afterwards."""
    return {index: _refragmented(one, refragment(task, one.output.spec), out) for index, one in verified.items()}


def _refragmented(verified: Verified, how: Refragment | None, out: Path) -> Verified:
    if how is None:
        return verified
    file = out / verified.output.file
    becoming = file.with_name(f"{file.name}.becoming")
    with file.open("r+b") as source, becoming.open("xb") as target:
        draining = Draining(source)
        rewritten(draining.read, draining.take, target, how)
    becoming.replace(file)
    return replace(verified, size=file.stat().st_size)
