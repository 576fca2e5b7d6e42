"""How the loops show that they move: each promises when it will be back, and the watchdog sees who broke its word."""

from __future__ import annotations

from typing import Final

from shared.clock import Clock

LENIENCE: Final = 30.0
"""Seconds on top of every promise: a busy machine is not a stuck agent."""


class Pulse:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}

    def promise(self, loop: str, within: float) -> None:
        """The loop is alive now and will promise again within so many seconds."""
        self._due[loop] = self._clock.monotonic() + within + LENIENCE

    def rest(self, loop: str) -> None:
        """The loop has nothing to do and promises nothing."""
        self._due.pop(loop, None)

    def stuck(self) -> tuple[str, ...]:
        now = self._clock.monotonic()
        return tuple(loop for loop, due in self._due.items() if due < now)
