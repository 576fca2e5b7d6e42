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
    """What is known of one turn: the bytes that had passed when it was last looked at, and the seconds it has left."""

    turn: Turn
    request: int
    at: float
    bytes: int
    left: float


UNSEEN: Final = Watch(Turn.OURS, -1, 0.0, 0, 0.0)


def observed(watch: Watch, turn: Turn, request: int, passed: int, now: float, limits: Limits) -> Watch:
    """The watch from now on; the caller's time is over when nothing is left of it.

    A head has a fixed time. With bodies and answers, `slowest` bytes buy a second, and nobody has more than `stall` of
    them; bytes that became fewer were added to, after all before them had gone.
    """
    if (turn, request) != (watch.turn, watch.request):
        return Watch(turn, request, now, passed, limits.head if turn is Turn.HEAD else limits.stall)
    waited, moved = now - watch.at, passed - watch.bytes
    match turn:
        case Turn.OURS | Turn.IDLE:
            return watch
        case Turn.HEAD:
            left = watch.left - waited
        case Turn.BODY | Turn.ANSWER:
            left = limits.stall if moved < 0 else min(limits.stall, watch.left - waited + moved / limits.slowest)
    return replace(watch, at=now, bytes=passed, left=left)
