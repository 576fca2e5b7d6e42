"""The loops' sense of time."""

from __future__ import annotations

from agent.backoff import Random, Sleep
from agent.loops.pulse import Pulse
from shared.clock import Clock


class Timing:
    """Clock, sleep and chance, which tests replace, and the pulse that all loops share."""

    def __init__(self, clock: Clock, sleep: Sleep, randomly: Random) -> None:
        self.clock = clock
        self.sleep = sleep
        self.randomly = randomly
        self.pulse = Pulse(clock)
