"""What captions are, whatever file they come from: text, and when it is shown. Formatting and places on the screen are not kept."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

MAX_CUES: Final = 50_000
MAX_LINES: Final = 32
MAX_LINE: Final = 1_000


class Unreadable(ValueError):
    """The text is no captions, or none that can be taken."""


@dataclass(frozen=True, order=True)
class Cue:
    start: int
    """Milliseconds, like `end`."""
    end: int
    lines: tuple[str, ...]


Cues = tuple[Cue, ...]


@dataclass(frozen=True)
class Track:
    """The captions of one language."""

    language: str
    label: str | None
    cues: Cues


def tidy(cues: Iterable[Cue]) -> Cues:
    """In the order in which they are shown, without what shows nothing. Raises Unreadable when there are too many."""
    kept: list[Cue] = []
    for cue in cues:
        if len(kept) >= MAX_CUES:
            raise Unreadable(f"there are more than {MAX_CUES} captions")
        lines = tuple(line for line in map(_clean, cue.lines[:MAX_LINES]) if line)
        if lines and cue.end > max(cue.start, 0):
            kept.append(Cue(max(cue.start, 0), cue.end, lines))
    return tuple(sorted(kept))


def shifted(cues: Iterable[Cue], by: int) -> Cues:
    """Later by so many milliseconds; what would end before the beginning goes."""
    return tuple(replace(cue, start=max(0, cue.start + by), end=cue.end + by) for cue in cues if cue.end + by > 0)


def clipped(cues: Iterable[Cue], start: int, end: int | None) -> Cues:
    """What is shown between two times, counted from the first on."""
    within = shifted(cues, -start)
    if end is None:
        return within
    return tuple(replace(cue, end=min(cue.end, end - start)) for cue in within if cue.start < end - start)


def flattened(cues: Sequence[Cue]) -> Cues:
    """The same without overlaps: where several are shown at once, one shows the lines of all of them."""
    if all(one.end <= other.start for one, other in pairwise(cues)):
        return tuple(cues)
    times = sorted({time for cue in cues for time in (cue.start, cue.end)})
    flat: list[Cue] = []
    shown: list[Cue] = []
    waiting = list(reversed(cues))
    for start, end in pairwise(times):
        while waiting and waiting[-1].start <= start:
            shown.append(waiting.pop())
        shown = [cue for cue in shown if cue.end > start][-MAX_LINES:]
        lines = tuple(line for cue in shown for line in cue.lines)[:MAX_LINES]
        if not lines:
            continue
        if flat and flat[-1].end == start and flat[-1].lines == lines:
            flat[-1] = replace(flat[-1], end=end)
        else:
            flat.append(Cue(start, end, lines))
    return tuple(flat)


def plain(text: str) -> str:
    """Without the tags of SubRip, WebVTT and SubStation Alpha."""
    return html.unescape(_TAGS.sub("", text))


def _clean(line: str) -> str:
    return " ".join(_CONTROLS.sub(" ", line).split())[:MAX_LINE]


_TAGS: Final = re.compile(r"</?[A-Za-z0-9][^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
