"""Time that moves only when told."""

from __future__ import annotations

NOW_MS = 1_763_750_000_000


class FakeClock:
    def __init__(self, now_ms: int = NOW_MS) -> None:
        self._now_ms = now_ms
        self._passed_ms = 0
        self.work_per_look = 0.0
        self._worked = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._passed_ms / 1000

    def work(self, seconds: float) -> None:
        self._worked += seconds

    def worked(self) -> float:
        """As if so much were done between two looks."""
        self._worked += self.work_per_look
        return self._worked

    def pass_seconds(self, seconds: float) -> None:
        assert seconds >= 0, "time does not go back"
        self._now_ms += round(seconds * 1000)
        self._passed_ms += round(seconds * 1000)

    def set_by(self, seconds: float) -> None:
        """Somebody sets the clock, forward or back; no time passes."""
        self._now_ms += round(seconds * 1000)
