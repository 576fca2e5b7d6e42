"""The ledger: every counter is changed in the transaction of what it counts, and its guard stands inside the UPDATE."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from controlplane.domain import quota
from controlplane.domain.notifications import Happening, hears
from controlplane.domain.quota import DEFAULTS, LEDGER, OF_USERS, Drift, Line, Quota
from controlplane.domain.trust import DOUBT_WINDOW_MS
from controlplane.domain.usage import Made, day_of
from controlplane.store.port import Calls, Op, call
from controlplane.store.records import Task, Usage, record
from shared.errors import NotFound, Outdated, QuotaExceeded, TooManyQueued
from shared.failures import Failure
from shared.ids import PipelineId, TenantId, UserId

COUNTED: Final = (
    Quota.PRESETS,
    Quota.PIPELINES,
    Quota.BUCKETS,
    Quota.KEYS,
    Quota.WEBHOOKS,
    Quota.OUTPUT_MINUTES,
)
"""Lines of the ledger that can be counted once more. Bytes lie in files."""
QUEUE_RETRY_SECONDS = 10.0


def open_ledger(tenant_id: TenantId) -> Op[None]:
    """Of a new tenant."""
    for line in LEDGER:
        yield call("insert_quota", tenant_id=tenant_id, quota=line, most=DEFAULTS[line])
    yield from set_limits(tenant_id, DEFAULTS)


class Queued(NamedTuple):
    """Of the pipeline in which jobs wait now, and whether somebody is told of them."""

    pipeline_status: str
    is_heard: bool


def queue(
    tenant_id: TenantId, user_id: UserId, pipeline_id: PipelineId, version: int | None, *, jobs: int, outputs: int
) -> Op[Queued]:
    """So many more jobs wait in a pipeline; `outputs` are those of the largest.

    Raises NotFound when the pipeline is gone, Outdated when it has another version than this one, TooManyQueued, and
    QuotaExceeded when a job has more outputs than one may have. Then nothing is changed.
    """
    queued = yield call(
        "queue_jobs",
        id=tenant_id,
        user_id=user_id,
        pipeline_id=pipeline_id,
        version=version,
        jobs=jobs,
        outputs=outputs,
        heard=hears(Happening.SUBMITTED),
    )
    if queued:
        if queued[0]["user_is_counted"]:
            yield from _queue_of_user(tenant_id, user_id, jobs)
        return Queued(queued[0]["pipeline_status"], bool(queued[0]["is_heard"]))
    pipelines = yield call("pipeline", id=pipeline_id, tenant_id=tenant_id)
    if not pipelines:
        raise NotFound("pipeline")
    if version not in (None, pipelines[0]["version"]):
        raise Outdated("This pipeline has been changed.")
    (row,) = yield call("tenant", id=tenant_id)
    most = row["max_outputs"]
    if most is not None and outputs > most:
        raise QuotaExceeded(f"A job may have {most} outputs; this one has {outputs}.", pointer="/outputs")
    detail = f"{row['queued']} jobs of this account wait, and no more than {row['max_queued']} may."
    raise TooManyQueued(detail, retry_after=QUEUE_RETRY_SECONDS)


def count(
    tenant_id: TenantId, user_id: UserId, *, queued: int, running: int, cost: int = 0, served: int = 0
) -> Op[None]:
    """More or fewer jobs of a user wait or run."""
    change = {"queued": queued, "running": running}
    yield call("count_tenant", id=tenant_id, **change, cost=cost, served=served)
    yield call("count_user", user_id=user_id, **change)


def count_ended(
    tenant_id: TenantId,
    user_id: UserId,
    now: int,
    *,
    queued: int,
    running: int,
    cost: int,
    served: int,
    ended: int,
    failed: int,
) -> Op[None]:
    """The same, when attempts end: so many, of which so many failed."""
    yield call(
        "count_ended",
        id=tenant_id,
        queued=queued,
        running=running,
        cost=cost,
        served=served,
        ended=ended,
        failed=failed,
        succeeded=ended - failed,
        since=now - DOUBT_WINDOW_MS,
        now=now,
    )
    yield call("count_user", user_id=user_id, queued=queued, running=running)


def take(tenant_id: TenantId, line: Quota, amount: int = 1) -> Op[None]:
    """Raises QuotaExceeded, with the numbers, when less is left."""
    if not (yield from is_taken(tenant_id, line, amount)):
        raise QuotaExceeded(_refusal((yield from _line(tenant_id, line)), amount))


def is_taken(tenant_id: TenantId, line: Quota, amount: int) -> Op[bool]:
    """Takes the amount if so much is left."""
    return bool((yield call("take_quota", tenant_id=tenant_id, quota=line, amount=amount)))


def give_back(tenant_id: TenantId, line: Quota, amount: int = 1) -> Op[None]:
    yield call("give_back_quota", tenant_id=tenant_id, quota=line, amount=amount)


def reserve_minutes(task: Task, lengths: Sequence[float | None], now: int) -> Op[Failure | None]:
    """Sets aside what the job will make, by the seconds of each output, once; why it may not, when less is left of the month.

    A job of unknown length is let in while anything is left. Later attempts find the reservation of the first.
    """
    if task.month is not None:
        return None
    needed = quota.planned_ms(lengths)
    month = yield from _count_minutes(task.tenant_id, now, needed or 0, least=needed or 1)
    if month is not None:
        yield call("set_minutes", id=task.id, month=month, output_ms=needed or 0)
        return None
    line = yield from _line(task.tenant_id, Quota.OUTPUT_MINUTES)
    return quota.minutes_refusal(needed=needed, used=line.used or 0, limit=line.limit or 0, month=quota.month_of(now))


def reserve_bytes(task: Task, needed: int) -> Op[Failure | None]:
    """For results that are about to become visible; why they may not."""
    if (yield from is_taken(task.tenant_id, Quota.STORED_BYTES, needed)):
        return None
    line = yield from _line(task.tenant_id, Quota.STORED_BYTES)
    return quota.bytes_refusal(needed=needed, used=line.used or 0, limit=line.limit or 0)


def expect_upload(tenant_id: TenantId, upload_id: str, size: int, now: int) -> Op[None]:
    """Sets aside what an upload will bring, whether it begins or goes on. Raises QuotaExceeded."""
    rows = yield call("upload", id=upload_id)
    more = size - (rows[0]["bytes"] if rows else 0)
    if more > 0:
        yield from take(tenant_id, Quota.STORED_BYTES, more)
    elif more < 0:
        yield from give_back(tenant_id, Quota.STORED_BYTES, -more)
    yield call("put_upload", id=upload_id, tenant_id=tenant_id, bytes=size, now=now)


def end_upload(tenant_id: TenantId, upload_id: str, replaced: int) -> Op[None]:
    """The object is visible: what was set aside for it is its own now, and what lay there before is gone."""
    yield call("delete_upload", id=upload_id)
    yield from forget_bytes(tenant_id, replaced)


def forget_bytes(tenant_id: TenantId, size: int) -> Op[None]:
    """An object is gone."""
    if size:
        yield call("lower_quota", tenant_id=tenant_id, quota=Quota.STORED_BYTES, amount=size)


def forget_uploads(before: int) -> Op[None]:
    """Those that nobody has gone on with since then."""
    for row in (yield call("delete_stale_uploads", before=before)):
        yield from give_back(row["tenant_id"], Quota.STORED_BYTES, row["bytes"])


def settle(ended: Sequence[tuple[Task, Made]], now: int) -> Op[None]:
    """Jobs have ended: what they made takes the place of what was reserved, and is added to their tenants' day."""
    counted = yield from _settle_minutes(ended, now)
    unused: Counter[TenantId] = Counter()
    days: dict[TenantId, Counter[str]] = defaultdict(Counter)
    for (task, made), output_ms in zip(ended, counted, strict=True):
        unused[task.tenant_id] += task.stored_bytes - made.bytes_out
        days[task.tenant_id].update(
            {made.status.lower(): 1},
            output_ms=output_ms,
            bytes_in=made.bytes_in,
            bytes_out=made.bytes_out,
            encoder_ms=made.encoder_ms,
        )
    for tenant_id, size in unused.items():
        if size:
            yield from give_back(tenant_id, Quota.STORED_BYTES, size)
    for tenant_id, counts in days.items():
        yield call("add_usage", tenant_id=tenant_id, day=day_of(now), **dict.fromkeys(_ENDS, 0) | counts)


_ENDS: Final = ("complete", "error", "canceled")


def _settle_minutes(ended: Sequence[tuple[Task, Made]], now: int) -> Op[list[int]]:
    """Milliseconds that count for each. Nodes that never told what they had found are known only by what they made."""
    counted, changed, this_month = [], [], quota.month_of(now)
    changes: Counter[tuple[TenantId, str]] = Counter()
    unreserved: dict[TenantId, list[tuple[Task, int]]] = defaultdict(list)
    for task, made in ended:
        if task.month is None:
            counted.append(made.output_ms)
            if made.output_ms:
                unreserved[task.tenant_id].append((task, made.output_ms))
            continue
        counted.append(quota.counted_ms(made.output_ms, reserved=task.output_ms, outputs=made.outputs))
        if counted[-1] != task.output_ms:
            changes[task.tenant_id, task.month] += counted[-1] - task.output_ms
            changed.append({"id": task.id, "month": task.month, "output_ms": counted[-1]})
    for (tenant_id, month), change in changes.items():
        yield call("settle_minutes", tenant_id=tenant_id, month=month, change=change)
    for tenant_id, tasks in unreserved.items():
        total = sum(ms for _, ms in tasks)
        yield call("add_minutes", tenant_id=tenant_id, month=this_month, ms=total)
        changed += [{"id": task.id, "month": this_month, "output_ms": ms} for task, ms in tasks]
    yield Calls("set_minutes", changed)
    return counted


def read(tenant_id: TenantId, now: int) -> Op[list[Line]]:
    """Every quota of a tenant, in the order of the catalogue."""
    rows = yield call("tenant", id=tenant_id)
    if not rows:
        raise NotFound("tenant")
    (tenant,) = rows
    lines = {
        Quota.QUEUED_JOBS: Line(Quota.QUEUED_JOBS, tenant["max_queued"], tenant["queued"]),
        Quota.RUNNING_JOBS: Line(Quota.RUNNING_JOBS, tenant["max_running"], tenant["running"]),
        Quota.OUTPUTS_PER_JOB: Line(Quota.OUTPUTS_PER_JOB, tenant["max_outputs"], None),
    }
    for row in (yield call("quotas", tenant_id=tenant_id)):
        is_over = row["quota"] == Quota.OUTPUT_MINUTES and row["month"] < quota.month_of(now)
        line = Quota(row["quota"])
        lines[line] = Line(line, row["most"], 0 if is_over else row["used"])
    return [lines[line] for line in Quota]


def read_user(tenant_id: TenantId, user_id: UserId) -> Op[list[Line]]:
    """What a user may have beside what its tenant may; nothing is counted while there is no limit of its own."""
    if not (yield call("user", id=user_id, tenant_id=tenant_id)):
        raise NotFound("user")
    for row in (yield call("user_quotas", user_id=user_id)):
        return [
            Line(Quota.QUEUED_JOBS, row["max_queued"], row["queued"]),
            Line(Quota.RUNNING_JOBS, row["max_running"], row["running"]),
        ]
    return [Line(line, None, None) for line in OF_USERS]


def set_user_limits(tenant_id: TenantId, user_id: UserId, limits: Mapping[Quota, int | None]) -> Op[None]:
    """Both of them; None is no limit but the tenant's."""
    if not (yield call("user", id=user_id, tenant_id=tenant_id)):
        raise NotFound("user")
    if all(limits[line] is None for line in OF_USERS):
        yield call("delete_user_limits", user_id=user_id)
        return
    yield call(
        "set_user_limits",
        user_id=user_id,
        tenant_id=tenant_id,
        max_queued=limits[Quota.QUEUED_JOBS],
        max_running=limits[Quota.RUNNING_JOBS],
    )


def set_limits(tenant_id: TenantId, limits: Mapping[Quota, int | None]) -> Op[None]:
    """All of them; None is no limit. One below what is used refuses more, and takes nothing away."""
    changed = yield call(
        "set_tenant_limits",
        id=tenant_id,
        max_queued=limits[Quota.QUEUED_JOBS],
        max_running=limits[Quota.RUNNING_JOBS],
        max_outputs=limits[Quota.OUTPUTS_PER_JOB],
    )
    if not changed:
        raise NotFound("tenant")
    for line in LEDGER:
        yield call("set_limit", tenant_id=tenant_id, quota=line, most=limits[line])


def usage(tenant_id: TenantId, since: str, until: str) -> Op[list[Usage]]:
    """Days on which anything ended, both ends included."""
    if not (yield call("tenant", id=tenant_id)):
        raise NotFound("tenant")
    rows = yield call("usage", tenant_id=tenant_id, since=since, until=until)
    return [record(Usage, row) for row in rows]


def drift(tenant_id: TenantId, *, keeps_months: bool = True) -> Op[list[Drift]]:
    """Counters of one tenant that do not equal a recount.

    Bytes are not recounted: they lie in files. Minutes are, unless jobs are removed within the month that they count in.
    """
    return [drift for drift in (yield from _compared(tenant_id, keeps_months)) if drift.counted != drift.found]


def repair(tenant_id: TenantId, *, keeps_months: bool = True) -> Op[list[Drift]]:
    """Sets the counters of one tenant to what `drift` finds, in the transaction in which it does; what was wrong."""
    compared = yield from _compared(tenant_id, keeps_months)
    wrong = [drift for drift in compared if drift.counted != drift.found]
    found = {(drift.user_id, drift.counter): drift.found for drift in compared}
    names = {(drift.user_id, drift.counter) for drift in wrong}
    if names & {(None, "queued"), (None, "running")}:
        yield call(
            "set_tenant_counters", tenant_id=tenant_id, queued=found[None, "queued"], running=found[None, "running"]
        )
    if (None, "waiting") in names:
        yield call("empty_lanes", tenant_id=tenant_id)
        yield call("fill_lanes", tenant_id=tenant_id)
    for line in COUNTED:
        if (None, _counter(line)) in names:
            yield call("set_used", tenant_id=tenant_id, quota=line, used=found[None, _counter(line)])
    for user_id in {drift.user_id for drift in wrong if drift.user_id is not None}:
        queued, running = found[user_id, "queued"], found[user_id, "running"]
        yield call("set_user_counters", user_id=user_id, queued=queued, running=running)
    return wrong


def _compared(tenant_id: TenantId, keeps_months: bool) -> Op[list[Drift]]:
    """Every counter of a tenant beside its recount."""
    (row,) = yield call("counters", tenant_id=tenant_id)
    (found,) = yield call("recount", tenant_id=tenant_id, month=row["month"])
    lines = [_counter(line) for line in COUNTED if keeps_months or line is not Quota.OUTPUT_MINUTES]
    names = ["queued", "running", "waiting", *lines]
    compared = [Drift(tenant_id, name, int(row[name]), int(found[name])) for name in names]
    for user in (yield call("user_counters", tenant_id=tenant_id)):
        for name in ("queued", "running"):
            compared.append(Drift(tenant_id, name, user[name], user[f"found_{name}"], UserId(user["user_id"])))
    return compared


def _counter(line: Quota) -> str:
    """The column in which it is counted and recounted."""
    return "output_ms" if line is Quota.OUTPUT_MINUTES else line.value


def _queue_of_user(tenant_id: TenantId, user_id: UserId, jobs: int) -> Op[None]:
    if (yield call("queue_jobs_of_user", user_id=user_id, jobs=jobs)):
        return
    yield call("count_tenant", id=tenant_id, queued=-jobs, running=0, cost=0, served=0)
    (row,) = yield call("user_quotas", user_id=user_id)
    detail = f"{row['queued']} jobs of this user wait, and no more than {row['max_queued']} may."
    raise TooManyQueued(detail, retry_after=QUEUE_RETRY_SECONDS)


def _count_minutes(tenant_id: TenantId, now: int, ms: int, *, least: int) -> Op[str | None]:
    """The month in which they count now; None when less is left of it."""
    rows = yield call(
        "count_minutes",
        tenant_id=tenant_id,
        month=quota.month_of(now),
        ms=ms,
        least=least,
    )
    return rows[0]["month"] if rows else None


def _line(tenant_id: TenantId, line: Quota) -> Op[Line]:
    (row,) = yield call("quota", tenant_id=tenant_id, quota=line)
    return Line(line, row["most"], row["used"])


def _refusal(line: Line, amount: int) -> str:
    wanted = f"; this needs {amount}" if amount > 1 else ""
    return f"{line.used} of {line.limit} {line.quota.replace('_', ' ')} are used{wanted}."
