"""What may go wrong, and how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weather:
    """Probabilities per message, and mean seconds between events."""

    request_lost: float = 0.05
    answer_lost: float = 0.05
    repeated: float = 0.05
    latest_repeat: float = 40.0
    slow: float = 0.03
    slowest: float = 8.0
    between_cuts: float = 300.0
    longest_cut: float = 240.0
    between_crashes_of_nodes: float = 240.0
    between_crashes_of_server: float = 700.0
    longest_downtime: float = 90.0
    between_clock_steps: float = 600.0
    largest_clock_step: float = 900.0


CALM = Weather(
    request_lost=0,
    answer_lost=0,
    repeated=0,
    slow=0,
    between_cuts=1e9,
    between_crashes_of_nodes=1e9,
    between_crashes_of_server=1e9,
    between_clock_steps=1e9,
)
