"""Who calls how often: decided here, in memory, without asking anybody.

Replicas count apart: behind two of them a caller has twice its rate. The way out leads through `take`: a replica that has
leased a share of a caller's rate decides by that share's pace, still without asking.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, NamedTuple

from controlplane.domain.throttle import SECOND, Pace, admit, left
from shared.clock import Clock

MOST_REMEMBERED: Final = 100_000


class Verdict(NamedTuple):
    """`limit` calls make a burst; so many are left, and all are again after `reset` seconds. `wait` is 0 when admitted."""

    limit: int
    remaining: int
    reset: int
    wait: float


class Throttle:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[Hashable, int] = {}

    def take(self, caller: Hashable, allowed: Pace, calls: int = 1) -> Verdict:
        """Counts a call, as one or several, unless it has to wait."""
        now = int(self._clock.monotonic() * SECOND)
        due, wait = admit(self._due.get(caller, 0), now, allowed, calls)
        if wait == 0:
            if len(self._due) >= MOST_REMEMBERED:
                self._forget(now)
            self._due[caller] = due
        return _verdict(due, now, allowed, wait)

    def look(self, caller: Hashable, allowed: Pace) -> Verdict:
        """As for one more call, which is not counted."""
        now = int(self._clock.monotonic() * SECOND)
        due = max(self._due.get(caller, 0), now)
        return _verdict(due, now, allowed, admit(due, now, allowed)[1])

    def charge(self, caller: Hashable, allowed: Pace, calls: int) -> Verdict:
        """Counts more calls for one that was admitted before it was known what it takes."""
        now = int(self._clock.monotonic() * SECOND)
        self._due[caller] = due = max(self._due.get(caller, 0), now) + allowed.interval * calls
        return _verdict(due, now, allowed)

    def _forget(self, now: int) -> None:
        """Whoever is not ahead of its pace is as good as new; when too many are ahead, all begin anew."""
        self._due = {caller: due for caller, due in self._due.items() if due > now}
        if len(self._due) > MOST_REMEMBERED // 2:
            self._due.clear()


def _verdict(due: int, now: int, allowed: Pace, wait: int = 0) -> Verdict:
    return Verdict(allowed.burst, left(due, now, allowed), -((now - due) // SECOND), wait / SECOND)
