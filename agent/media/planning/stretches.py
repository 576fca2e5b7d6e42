"""Where in the whole each input is shown, for what goes along with its pictures."""

from __future__ import annotations

from agent.media.captions import Stretch
from agent.media.facts import MediaFacts
from agent.media.planning.programme import beyond_end, part, programme
from shared.protocol import Span, TranscodeFile


def stretches(task: TranscodeFile, facts: tuple[MediaFacts, ...]) -> list[tuple[int, MediaFacts, Stretch]]:
    """Of each part its place in the workspace, its facts, and what of it is shown where; nothing, where it cannot be shown."""
    parts = tuple(map(part, task.parts, facts))
    if beyond_end(parts) is not None:
        return []
    shown = programme(parts)
    if not shown.is_stitched:
        (only,) = parts
        return [(only.index, only.file, _stretch(0.0, only.start, only.facts.duration))]
    placed, at = [], 0.0
    for one, frames in zip(parts, shown.frames(), strict=True):
        seconds = float(frames / shown.rate)
        placed.append((one.index, one.file, _stretch(at, one.start, seconds)))
        at += seconds
    return placed


def of_clip(clip: Span) -> Stretch:
    """What an output shows of the whole."""
    return _stretch(0.0, clip.start, clip.duration)


def _stretch(start: float, begin: float, seconds: float | None) -> Stretch:
    return Stretch(round(start * 1000), round(begin * 1000), None if seconds is None else round(seconds * 1000))
