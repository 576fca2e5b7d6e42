"""What a tenant may have: the catalogue of quotas, and the sums that decide."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.failures import Cause, Failure, FailureCode

MINUTE_MS: Final = 60_000
ROUNDING_MS: Final = 1_000
"""By how much an output may outlast its input and count no more: a last frame, the padding of a sound."""


class Quota(StrEnum):
    """Each has a limit, or none, for every tenant. Minutes are counted in milliseconds, by calendar month."""

    QUEUED_JOBS = "queued_jobs"
    RUNNING_JOBS = "running_jobs"
    OUTPUTS_PER_JOB = "outputs_per_job"
    OUTPUT_MINUTES = "output_minutes"
    STORED_BYTES = "stored_bytes"
    PRESETS = "presets"
    PIPELINES = "pipelines"
    BUCKETS = "buckets"
    KEYS = "keys"
    WEBHOOKS = "webhooks"


DEFAULTS: Final[Mapping[Quota, int]] = {
    Quota.QUEUED_JOBS: 10_000,
    Quota.RUNNING_JOBS: 100,
    Quota.OUTPUTS_PER_JOB: 30,
    Quota.OUTPUT_MINUTES: 100_000 * MINUTE_MS,
    Quota.STORED_BYTES: 1 << 40,
    Quota.PRESETS: 100,
    Quota.PIPELINES: 100,
    Quota.BUCKETS: 100,
    Quota.KEYS: 50,
    Quota.WEBHOOKS: 10,
}
"""Of a new tenant: out of the way of ordinary work, and an end to what runs wild."""

OF_JOBS: Final = (Quota.QUEUED_JOBS, Quota.RUNNING_JOBS, Quota.OUTPUTS_PER_JOB)
"""Kept with the tenant itself, whose row a submission changes anyway."""
OF_USERS: Final = (Quota.QUEUED_JOBS, Quota.RUNNING_JOBS)
"""What a single user may be limited to, beside its tenant."""
LEDGER: Final = tuple(quota for quota in Quota if quota not in OF_JOBS)
"""Each a row of its own: a limit and what is used of it."""


@dataclass(frozen=True)
class Line:
    """One quota of one tenant. `limit` None: as much as there is. `used` None: it is asked of each job by itself."""

    quota: Quota
    limit: int | None
    used: int | None


@dataclass(frozen=True)
class Drift:
    """A counter that does not equal a recount of what it counts."""

    tenant_id: str
    counter: str
    counted: int
    found: int
    user_id: str | None = None
    """Of this user alone."""


def month_of(now_ms: int) -> str:
    """In UTC; months sort."""
    return dt.datetime.fromtimestamp(now_ms / 1000, tz=dt.UTC).strftime("%Y-%m")


def planned_ms(lengths: Sequence[float | None]) -> int | None:
    """How much a job will make, by the seconds of each of its outputs; None when nobody knows those of one."""
    known = [length for length in lengths if length is not None]
    return round(sum(known) * 1000) if len(known) == len(lengths) else None


def counted_ms(made: int, *, reserved: int, outputs: int) -> int:
    """What a job counts in the end: what it made. What outlasts the reservation by less than rounding counts no more.

    An input that lied about its length, or told none, counts as it turned out, even beyond the limit: the work is done.
    """
    return reserved if 0 < reserved < made <= reserved + ROUNDING_MS * outputs else made


def minutes_refusal(*, needed: int | None, used: int, limit: int, month: str) -> Failure:
    """Told before anything is encoded. No other node, and no other day of the month, would fare better."""
    wants = "is of unknown length" if needed is None else f"needs {minutes(needed)}"
    message = f"{minutes(used)} of {minutes(limit)} output minutes of {month} are used or reserved; this job {wants}."
    return Failure(cause=Cause.INPUT, code=FailureCode.QUOTA_EXCEEDED, message=message)


def bytes_refusal(*, needed: int, used: int, limit: int) -> Failure:
    message = f"{used} of {limit} stored bytes are used or reserved; the results have {needed}."
    return Failure(cause=Cause.INPUT, code=FailureCode.QUOTA_EXCEEDED, message=message)


def minutes(ms: int) -> str:
    """As people read them: 14, 0.5, 1.25."""
    return f"{ms / MINUTE_MS:.2f}".rstrip("0").rstrip(".")
