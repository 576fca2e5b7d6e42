"""How long to wait before asking again: full jitter, so that a thousand nodes do not return as one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

Sleep = Callable[[float], Awaitable[object]]
Random = Callable[[], float]

BASE: Final = 0.2
CAP: Final = 30.0
LONGEST_ASKED: Final = 300.0
"""Seconds; whoever asks for more is a box in between that knows nothing of nodes: one would be out of work for hours."""


def full_jitter(tries: int, random: Random, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait after so many failed tries (from 0): anything up to a ceiling that doubles."""
    return random() * min(cap, base * 2.0 ** min(tries, 32))


def wait_after(tries: int, random: Random, retry_after: float | None, *, cap: float = CAP) -> float:
    """The same, but not earlier than the other side asked for, within reason."""
    return min(retry_after or 0.0, LONGEST_ASKED) + full_jitter(tries, random, cap=cap)
