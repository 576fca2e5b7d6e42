"""How far ffmpeg is, from the bytes of `-progress`: key=value lines in blocks that end with a `progress` line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST_LINE: Final = 4096
MOST_DROPPED: Final = 2
"""Pictures: a filter keeps the rate, and none is dropped behind it but where the graph began anew."""


@dataclass(frozen=True)
class Sample:
    percent: float
    """0 to 100; never falls."""
    seconds: float
    """Of media that are done."""
    fps: float | None
    speed: float | None
    eta: float | None
    """Seconds left at the present speed."""
    dropped: int = 0
    """Pictures that were made for a time that was over already."""

    @property
    def began_anew(self) -> bool:
        """Whether the input became another kind midway, so that ffmpeg drew its graph anew."""
        return self.dropped > MOST_DROPPED


class ProgressParser:
    """Fed with whatever the pipe gives; answers with the newest block that became complete."""

    def __init__(self, duration: float) -> None:
        self._duration = duration
        self._rest = b""
        self._block: dict[bytes, bytes] = {}
        self._percent = 0.0

    def feed(self, chunk: bytes) -> Sample | None:
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[:LONGEST_LINE]
        sample = None
        for line in lines:
            key, _, value = line.strip().partition(b"=")
            self._block[key] = value.strip()
            if key == b"progress":
                sample = self._sample()
                self._block = {}
        return sample

    def _sample(self) -> Sample:
        done = _number(self._block.get(b"out_time_us")) or 0.0
        if self._duration > 0:
            self._percent = max(self._percent, min(100.0, done / 1e6 / self._duration * 100))
        if self._block.get(b"progress") == b"end":
            self._percent = 100.0
        speed = _number(self._block.get(b"speed", b"").rstrip(b"x"))
        dropped = int(_number(self._block.get(b"drop_frames")) or 0)
        return Sample(
            self._percent, done / 1e6, _number(self._block.get(b"fps")) or None, speed, self._eta(speed), dropped
        )

    def _eta(self, speed: float | None) -> float | None:
        if not speed or self._duration <= 0:
            return None
        return self._duration * (100 - self._percent) / 100 / speed


def _number(value: bytes | None) -> float | None:
    """Of anything but a number that is not negative: nothing ("N/A", before the first frame)."""
    try:
        number = float(value or b"")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
