"""Jobs made once more: a job that has ended never changes, so trying again is a new job that names the one it repeats."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from controlplane.domain.lifecycle import TERMINAL_JOBS
from controlplane.store.operations import ending, jobs
from controlplane.store.operations.jobs import Created, NewJob
from controlplane.store.operations.tokens import Token
from controlplane.store.port import Op, Row, call
from shared.errors import NotFound, WrongState
from shared.failures import Failure
from shared.ids import JobId, PipelineId, TenantId
from shared.jobspec import StartPolicy
from shared.statuses import JobStatus

Judge = Callable[[str], Failure | None]
"""Of the files of a job, as it keeps them: why it need not be tried again."""


def retry(
    tenant_id: TenantId, job_id: JobId, new_id: JobId, token: Token | None, now: int, judge: Judge = lambda _: None
) -> Op[Created]:
    """The same work again, as it was understood when it was submitted, or what the same token made before.

    Raises WrongState unless the job has ended and its pipeline still stands.
    """
    row = yield from _ended(tenant_id, job_id)
    created = yield from _create(row, new_id, token, now, judge)
    if not created.replayed:
        yield call("note_retry", id=job_id, retried_by=new_id)
    return created


def retry_failed(
    tenant_id: TenantId, job_id: JobId, new_id: JobId, now: int, judge: Judge = lambda _: None
) -> Op[Created | None]:
    """The same for one of many: None when somebody has retried this failure already. Raises WrongState as `retry` does."""
    row = yield from _ended(tenant_id, job_id)
    if not (yield call("claim_retry", id=job_id, retried_by=new_id)):
        return None
    return (yield from _create(row, new_id, None, now, judge))


def failed(
    tenant_id: TenantId, *, since: int, before: int, pipeline_id: PipelineId | None, size: int
) -> Op[list[JobId]]:
    """Jobs that failed in this time and that nobody has retried, those that failed first in front."""
    rows = yield call(
        "failed_jobs", tenant_id=tenant_id, since=since, before=before, pipeline_id=pipeline_id, size=size
    )
    return [JobId(row["id"]) for row in rows]


def _ended(tenant_id: TenantId, job_id: JobId) -> Op[Row]:
    rows = yield call("job_to_repeat", id=job_id, tenant_id=tenant_id)
    if not rows:
        raise NotFound("job")
    if JobStatus(rows[0]["status"]) not in TERMINAL_JOBS:
        raise WrongState(f"Only a job that has ended can be retried; this one is {rows[0]['status']}.")
    return rows[0]


def _create(row: Row, new_id: JobId, token: Token | None, now: int, judge: Judge) -> Op[Created]:
    document = orjson.loads(row["document"]) | {"start": StartPolicy.AUTO}
    new = NewJob(
        id=new_id,
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        pipeline_id=row["pipeline_id"],
        cluster_id=document["placement"]["cluster_id"],
        document=orjson.dumps(document).decode(),
        outputs=len(document["outputs"]),
        priority=row["priority"],
        held=False,
        need=row["need"],
        presets=row["presets"],
        files=row["files"],
        max_attempts=row["max_attempts"],
        token=token,
        retry_of=row["id"],
    )
    known = judge(new.files)
    try:
        return (yield from jobs.create(new, now) if known is None else ending.create_failed(new, known, now))
    except NotFound as error:
        raise WrongState("The pipeline of this job is gone.") from error
