"""How often a caller may call: the generic cell rate algorithm (GCRA, ITU-T I.371), in whole nanoseconds.

All that is remembered of a caller is when its next call would be due if its calls came evenly. Once that has passed it says
nothing any more, so that it can be forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from controlplane.domain.permissions import Action

SECOND: Final = 1_000_000_000
PORTION: Final = 8 * 1024
"""Bytes of a document that take about as long to read as an ordinary call takes altogether."""

WORK: Final = 0.005
"""Seconds of work that an ordinary call takes at the most."""


class Operation(StrEnum):
    """What is counted apart: a flood of one leaves room for the others."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    READ = "read"
    LIST = "list"
    CANCEL = "cancel"


_OF_VERB: Final[Mapping[str, Operation]] = {
    "read": Operation.READ,
    "download": Operation.READ,
    "start": Operation.START,
    "resume": Operation.START,
    "stop": Operation.STOP,
    "pause": Operation.STOP,
    "drain": Operation.STOP,
    "suspend": Operation.STOP,
    "cancel": Operation.CANCEL,
}


def operation(action: Action, *, is_list: bool) -> Operation:
    """What a call counts as; whatever changes something and has no class of its own counts as making something."""
    return Operation.LIST if is_list else _OF_VERB.get(action.verb, Operation.CREATE)


class Pace(NamedTuple):
    """Nanoseconds between calls in the long run, how far ahead of that they may run, and how many calls that makes."""

    interval: int
    slack: int
    burst: int


def pace(per_minute: int) -> Pace:
    """A burst is what the rate gives in a second, and one call at least."""
    interval = -(-60 * SECOND // per_minute)
    slack = max(0, SECOND - interval)
    return Pace(interval, slack, slack // interval + 1)


def paces(per_minute: Mapping[Operation, int]) -> Mapping[Operation, Pace]:
    return {operation: pace(rate) for operation, rate in per_minute.items()}


def together(paces: Mapping[Operation, Pace]) -> Pace:
    """Of all users of a tenant: what one of them may do of every kind."""
    return pace(sum(round(60 * SECOND / allowed.interval) for allowed in paces.values()))


def weight(size: int) -> int:
    """How many calls one with a document of so many bytes counts as: everybody waits while it is read."""
    return 1 + size // PORTION


def more_calls(seconds: float) -> int:
    """How many calls more one counts as that took so much work: everybody waits while it is done."""
    return int(seconds / WORK)


def admit(due: int, now: int, allowed: Pace, calls: int = 1) -> tuple[int, int]:
    """When the next call is due after one that comes now, and how long this one has to wait (0: it is admitted).

    One that counts as several is admitted when a single one would be, and those after it wait the longer.
    """
    due = max(due, now)
    wait = due - now - allowed.slack
    return (due, wait) if wait > 0 else (due + allowed.interval * calls, 0)


def left(due: int, now: int, allowed: Pace) -> int:
    """How many more calls would be admitted at once."""
    return max(0, (allowed.slack - max(0, due - now)) // allowed.interval + 1)
