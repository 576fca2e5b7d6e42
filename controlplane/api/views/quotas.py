"""What a tenant may have, and what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from controlplane.domain.quota import MINUTE_MS, Drift, Line, Quota
from controlplane.services.quotas import Account
from controlplane.store import records
from shared.ids import TenantId, UserId
from shared.models import Answer


class QuotaView(Answer):
    limit: float | int | None = Field(description="Null: none.")
    used: float | int | None = Field(description="Now; null for what is asked of each job by itself.")


class UserQuotasView(Answer):
    """`used` is null while a user has no limit of its own: then its jobs are not counted by themselves."""

    queued_jobs: QuotaView
    running_jobs: QuotaView


def user_quotas(lines: Sequence[Line]) -> UserQuotasView:
    return UserQuotasView(**{line.quota: _quota(line) for line in lines})


class QuotasView(Answer):
    month: str = Field(description="That of the minutes, in UTC.")
    queued_jobs: QuotaView
    running_jobs: QuotaView
    outputs_per_job: QuotaView
    output_minutes: QuotaView
    stored_bytes: QuotaView
    presets: QuotaView
    pipelines: QuotaView
    buckets: QuotaView
    keys: QuotaView
    webhooks: QuotaView
    user: UserQuotasView | None = Field(
        None, description="The caller's own limits, beside the tenant's. Null where no user of the tenant asks."
    )


def quotas(found: Account) -> QuotasView:
    own = user_quotas(found.of_user) if found.of_user else None
    return QuotasView(month=found.month, user=own, **{line.quota: _quota(line) for line in found.lines})


def _quota(line: Line) -> QuotaView:
    if line.quota is not Quota.OUTPUT_MINUTES:
        return QuotaView(limit=line.limit, used=line.used)
    return QuotaView(
        limit=None if line.limit is None else line.limit / MINUTE_MS,
        used=round((line.used or 0) / MINUTE_MS, 3),
    )


class UsedView(Answer):
    jobs_complete: int = 0
    jobs_error: int = 0
    jobs_canceled: int = 0
    output_minutes: float = Field(0.0, description="Of media that became visible, every output by itself.")
    bytes_in: int = Field(0, description="Of inputs that nodes fetched and probed.")
    bytes_out: int = Field(0, description="Of objects that became visible.")
    encoder_seconds: float = Field(0.0, description="Wall time in encoders, whatever came of it.")


class DayView(UsedView):
    day: str


class UsageView(Answer):
    since: dt.date
    until: dt.date
    items: list[DayView] = Field(description="Days on which a job ended, in UTC.")
    total: UsedView


def usage(days: Sequence[records.Usage], since: dt.date, until: dt.date) -> UsageView:
    total = UsedView(**_used(days))
    return UsageView(since=since, until=until, items=[day(one) for one in days], total=total)


def day(found: records.Usage) -> DayView:
    return DayView(day=found.day, **_used([found]))


def _used(days: Sequence[records.Usage]) -> dict[str, Any]:
    """What some days come to together."""
    return {
        "jobs_complete": sum(one.complete for one in days),
        "jobs_error": sum(one.error for one in days),
        "jobs_canceled": sum(one.canceled for one in days),
        "output_minutes": round(sum(one.output_ms for one in days) / MINUTE_MS, 3),
        "bytes_in": sum(one.bytes_in for one in days),
        "bytes_out": sum(one.bytes_out for one in days),
        "encoder_seconds": round(sum(one.encoder_ms for one in days) / 1000, 3),
    }


class DriftView(Answer):
    tenant_id: TenantId
    counter: str
    counted: int
    found: int = Field(description="By a recount.")
    user_id: UserId | None = Field(None, description="Of this user's jobs alone.")


class DriftsView(Answer):
    items: list[DriftView]


def drifts(found: Sequence[Drift]) -> DriftsView:
    return DriftsView(items=[DriftView(**vars(one)) for one in found])
