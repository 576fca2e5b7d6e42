"""Whether a child stands still: it gets on with nothing, and uses no processor time either. Pure: told, not looking.

The second half keeps a busy machine from looking like a stuck encoder: what hardly gets the processor is slow, not stuck.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LEAST_SHARE: Final = 0.002
"""Of one processor. Who uses less over the whole time of patience waits for something; the least favoured process of a
machine that is overloaded twentyfold still gets more."""


class Stage(StrEnum):
    """Of the child's work; each has a patience of its own."""

    STARTING = "starting"
    WORKING = "working"
    FINISHING = "finishing"


@dataclass(frozen=True)
class Patience:
    """Seconds without any sign of life; `spinning` are seconds of processor time without one step forward."""

    starting: float = 120.0
    working: float = 60.0
    finishing: float = 300.0
    spinning: float = 3600.0

    def at(self, stage: Stage) -> float:
        return {Stage.STARTING: self.starting, Stage.WORKING: self.working, Stage.FINISHING: self.finishing}[stage]


class Vigil:
    """Over one child. `step` is called when its work gets on; who watches asks `has_stepped`, and if not, `is_stalled`."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.every = min(patience.starting, patience.working, patience.finishing) / 20
        """Seconds between two looks."""
        self._stage = Stage.STARTING
        self._has_stepped = False
        self._idle = 0.0
        self._cpu_at_step: float | None = None
        self._cpu_at_sign = 0.0

    def step(self, stage: Stage) -> None:
        self._stage = stage
        self._has_stepped = True

    def has_stepped(self) -> bool:
        """Since the last look."""
        stepped, self._has_stepped = self._has_stepped, False
        if stepped:
            self._cpu_at_step = None
        return stepped

    def is_stalled(self, cpu: float, elapsed: float) -> bool:
        """Given the processor time that the child has used by now, and the time since the last look.

        Of that time no more than two looks' worth counts: while nobody looked, this machine, or we, stood still ourselves.
        """
        if self._cpu_at_step is None:
            self._idle, self._cpu_at_step, self._cpu_at_sign = 0.0, cpu, cpu
        self._idle += min(elapsed, 2 * self.every)
        patience = self._patience.at(self._stage)
        if abs(cpu - self._cpu_at_sign) >= LEAST_SHARE * patience:  # less is left of it when a part of it has ended
            self._idle, self._cpu_at_sign = 0.0, cpu
        return self._idle >= patience or cpu - self._cpu_at_step >= self._patience.spinning
