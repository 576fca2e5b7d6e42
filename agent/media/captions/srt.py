"""SubRip."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from agent.media.captions.cues import Cue, Cues, plain, tidy

TIMING: Final = re.compile(
    r"\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})\s*-->\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})",
    re.ASCII,
)


def read(text: str) -> Cues:
    return tidy(timed(text.splitlines()))


def timed(lines: Iterable[str]) -> Iterator[Cue]:
    """Whatever follows a line with times, up to an empty line or to the number and times of the next."""
    times: tuple[int, int] | None = None
    shown: list[str] = []
    for line in lines:
        found = TIMING.match(line)
        if found is not None:
            if times is not None:
                yield Cue(*times, tuple(shown[:-1] if shown and shown[-1].strip().isdigit() else shown))
            times, shown = (_milliseconds(*found.groups()[:4]), _milliseconds(*found.groups()[4:])), []
        elif times is not None and line.strip():
            shown.append(plain(line))
        elif times is not None:
            yield Cue(*times, tuple(shown))
            times = None
    if times is not None:
        yield Cue(*times, tuple(shown))


def written(cues: Iterable[Cue]) -> str:
    return "\n".join(
        f"{number}\n{clock(cue.start)} --> {clock(cue.end)}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(cues, start=1)
    )


def clock(time: int, point: str = ",") -> str:
    seconds, milliseconds = divmod(time, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds:03d}"


def _milliseconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> int:
    return (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))
