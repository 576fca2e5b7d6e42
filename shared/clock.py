"""Time as a dependency: programs get a SystemClock, tests and simulations one that moves when told."""

from __future__ import annotations

import datetime as dt
import time
from email.utils import parsedate_to_datetime
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Unix time in milliseconds: what is stored and sent."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that no one sets: what is measured inside one process."""
        ...

    def worked(self) -> float:
        """Seconds for which this thread has had a processor."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def worked(self) -> float:
        return time.thread_time()


def to_ms(time: dt.datetime) -> int:
    """An aware time as Unix milliseconds."""
    return round(time.timestamp() * 1000)


def to_datetime(ms: int) -> dt.datetime:
    """Unix milliseconds as an aware UTC time."""
    return dt.datetime.fromtimestamp(ms / 1000, tz=dt.UTC)


def written(ms: int) -> str:
    """Unix milliseconds as text (RFC 3339, UTC)."""
    return to_datetime(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_http_date(text: str) -> dt.datetime:
    """An aware time, of a header that holds one (RFC 9110). Raises ValueError for whatever else strangers write there."""
    try:
        found = parsedate_to_datetime(text)
    except (IndexError, OverflowError) as error:
        raise ValueError("This is no date.") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
