"""What becomes of a task whose attempt ended without a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.failures import Cause, Failure, FailureCode

BACKOFF_MS: Final = (0, 1_000, 5_000, 15_000, 60_000)
"""How long work waits before its next attempt, by the number of failures behind it; the last one holds."""
LONGEST_DELAY_MS: Final = max(BACKOFF_MS)


@dataclass(frozen=True)
class Retry:
    """Try again, not before `delay_ms` from now."""

    delay_ms: int


def after_failure(failure: Failure, *, spent: int, allowed: int) -> Retry | Failure:
    """`spent` attempts include this one. An input's fault is final: another node would find the same."""
    if failure.cause is Cause.INPUT:
        return failure
    if spent < allowed:
        return Retry(BACKOFF_MS[min(spent, len(BACKOFF_MS) - 1)])
    if failure.cause is Cause.NODE:
        message = f"{spent} attempts failed on their nodes; the last: {failure.message}"
        return Failure(cause=failure.cause, code=FailureCode.OUT_OF_ATTEMPTS, message=message[:255])
    return failure


def after_silence(*, spent: int, allowed: int) -> Retry | Failure:
    """The lease ran out. The silent node may have been killed by the work itself, so it counts as an attempt."""
    lost = Failure(
        cause=Cause.NODE, code=FailureCode.NODE_FAULT, message="the node fell silent while it worked on this job"
    )
    return after_failure(lost, spent=spent, allowed=allowed)
