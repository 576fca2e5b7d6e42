"""Scenarist closed captions: the pairs of line 21, each row of them under the time code of its first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from agent.media.captions import screen
from agent.media.captions.cues import Cue, Cues
from agent.media.captions.line21 import RATE, scheduled, with_parity

MAGIC: Final = "Scenarist_SCC V1.0"
LAST_SHOWN: Final = 5_000
"""Milliseconds, of what nothing ends."""

_LINE: Final = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.,])(\d{2})\s+((?:[0-9A-Fa-f]{4}\s*)+)", re.ASCII)


def read(text: str) -> Cues:
    sent = list(_sent(text))
    return screen.read(sent, end=sent[-1].time + LAST_SHOWN if sent else 0)


def written(cues: Sequence[Cue]) -> str:
    return "\n\n".join((MAGIC, *_lines(cues), ""))


def _sent(text: str) -> Iterator[screen.Sent]:
    for line in text.splitlines():
        found = _LINE.match(line.strip())
        if found is None:
            continue
        hours, minutes, seconds, frames = (int(found[part]) for part in (1, 2, 3, 5))
        number = ((hours * 60 + minutes) * 60 + seconds) * 30 + frames
        if found[4] in ";,":
            number -= 2 * (hours * 60 + minutes - (hours * 60 + minutes) // 10)
        for after, pair in enumerate(found[6].split()):
            yield screen.Sent(_time(number + after), 0, *bytes.fromhex(pair))


def _lines(cues: Sequence[Cue]) -> Iterator[str]:
    """Pairs of frames that follow each other stand in one row."""
    row: list[str] = []
    begun = last = 0
    for slot, pair in sorted(scheduled(cues).items()):
        if row and slot != last + 1:
            yield f"{time_code(begun)}\t{' '.join(row)}"
            row = []
        if not row:
            begun = slot
        row.append("".join(f"{with_parity(byte):02x}" for byte in pair))
        last = slot
    if row:
        yield f"{time_code(begun)}\t{' '.join(row)}"


def time_code(frame: int) -> str:
    """Drop-frame: two numbers are left out in every minute but each tenth, so that codes keep up with the clock."""
    tens, rest = divmod(frame, 17982)
    frame += 18 * tens + (2 * ((rest - 2) // 1798) if rest > 1 else 0)
    return f"{frame // 108000:02d}:{frame // 1800 % 60:02d}:{frame // 30 % 60:02d};{frame % 30:02d}"


def _time(frame: int) -> int:
    return round(Fraction(frame * 1000) / RATE)
