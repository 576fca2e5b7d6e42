"""Inputs that failed again and again for a fault of their own: for a while nobody tries them once more.

A tenant's program that repeats what cannot succeed would otherwise have nodes fetch and read it each time, and what ends
the agents of two nodes would end those of the next two.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.failures import Cause, Failure, FailureCode, FailureReason
from shared.protocol import Finished
from shared.statuses import JobStatus

TIMES: Final = 3
REMEMBERED: Final = 10_000
"""Inputs; those that failed longest ago are forgotten first."""

_OWN: Final = frozenset(
    {
        FailureCode.BAD_INPUT_FORMAT,
        FailureCode.PICTURE_TOO_LARGE,
        FailureCode.INPUT_UNSUPPORTED,
        FailureCode.INPUT_UNHANDLED,
    }
)
"""What lies in the file and in nothing else: not in the preset, not in a quota, not in what is there already."""

Contents = tuple[tuple[int, int], ...]
"""What tells one content of a job's inputs from another: size and time of change of each."""


@dataclass
class _History:
    contents: Contents
    failures: list[tuple[int, Failure]] = field(default_factory=list)


class Faulty:
    """What is known, by the names of a job's inputs. One that is uploaded anew is another."""

    def __init__(self, within_ms: int) -> None:
        self._within_ms = within_ms
        self._histories: OrderedDict[Sequence[str], _History] = OrderedDict()

    @property
    def knows_any(self) -> bool:
        return bool(self._histories)

    def knows(self, names: Sequence[str]) -> bool:
        return names in self._histories

    def note(self, names: Sequence[str], contents: Contents, failure: Failure, now: int) -> None:
        if not _is_of_the_input(failure):
            return
        history = self._histories.get(names)
        if history is None or history.contents != contents:
            history = self._histories[names] = _History(contents)
        history.failures = [*history.failures[1 - TIMES :], (now, failure)]
        self._histories.move_to_end(names)
        if len(self._histories) > REMEMBERED:
            self._histories.popitem(last=False)

    def verdict(self, names: Sequence[str], contents: Contents, now: int) -> Failure | None:
        """Why a job with these inputs need not be tried."""
        history = self._histories.get(names)
        if history is None or history.contents != contents:
            return None
        recent = [failure for at, failure in history.failures if now - at < self._within_ms]
        if not recent:
            del self._histories[names]
            return None
        last = recent[-1]
        alike = sum(failure.code is last.code for failure in recent)
        return _again(last) if alike >= TIMES or last.code is FailureCode.QUARANTINED else None


def own_fault(finished: Finished) -> Failure | None:
    """That of an input of which nothing could be made, though it could be read."""
    failures = [output.failure for output in finished.outputs if output.status is JobStatus.ERROR]
    if len(failures) < len(finished.outputs) or not failures:
        return None
    first = failures[0]
    is_one = first is not None and all(other is not None and other.code is first.code for other in failures)
    return first if is_one else None


def _is_of_the_input(failure: Failure) -> bool:
    if failure.code is FailureCode.QUARANTINED:
        return True
    is_perhaps_of_the_job = failure.reason is FailureReason.MISDESCRIBED
    return failure.cause is Cause.INPUT and failure.code in _OWN and not is_perhaps_of_the_job


def _again(last: Failure) -> Failure:
    message = (
        f"This input failed before, and is not tried again so soon; upload it anew when it is mended. {last.message}"
    )
    return Failure(cause=Cause.INPUT, code=last.code, message=message[:255], reason=FailureReason.FAILED_BEFORE)
