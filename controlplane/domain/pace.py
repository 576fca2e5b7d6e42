"""How long a caller may take over its part of a conversation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final


class Turn(Enum):
    """Whose turn it is on a connection, and for what."""

    OURS = auto()
    """Somebody of ours works, or waits on purpose: no caller is to blame."""
    IDLE = auto()
    """Between two requests: a limit of its own, elsewhere."""
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """The caller reads what we have to say."""


@dataclass(frozen=True)
class Limits:
    """Seconds, and bytes per second."""

    head: float
    stall: float
    slowest: float


@dataclass(frozen=True)
class Watch:
    """What was seen of one turn: when it began, or made enough progress, and how many bytes had passed by then."""

    turn: Turn
    request: int
    since: float
    bytes: int


UNSEEN: Final = Watch(Turn.OURS, -1, 0.0, 0)


def observed(watch: Watch, turn: Turn, request: int, passed: int, now: float, limits: Limits) -> tuple[Watch, bool]:
    """The watch from now on, and whether the caller's time is over.

    Heads have a fixed time. Bodies and answers must move on by `slowest` times `stall` bytes in every `stall` seconds.
    """
    if (turn, request) != (watch.turn, watch.request):
        return Watch(turn, request, now, passed), False
    waited = now - watch.since
    match turn:
        case Turn.HEAD:
            return watch, waited >= limits.head
        case Turn.BODY | Turn.ANSWER if waited >= limits.stall:
            is_slow = 0 <= passed - watch.bytes < limits.slowest * waited
            return replace(watch, since=now, bytes=passed), is_slow
        case _:
            return watch, False
