"""What is answered: jobs, pipelines and the rest as people and their programs see them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import orjson
from pydantic import Field

from controlplane.domain.auditing import Deed
from controlplane.domain.permissions import Role
from controlplane.domain.quota import MINUTE_MS, Drift, Line, Quota
from controlplane.domain.throttle import Operation
from controlplane.domain.waiting import Code, Waiting
from controlplane.services.content_keys import RevealedKey
from controlplane.services.presets import AnyPreset
from controlplane.services.quotas import Account
from controlplane.storage.files import ObjectInfo
from controlplane.store import records
from shared.capacity import Free, NodeFacts
from shared.clock import to_datetime
from shared.failures import FailureReason
from shared.ids import Attempt, ClusterId, JobId, KeyId, NodeId, PipelineId, PresetId, TenantId, UserId
from shared.jobspec import Input, Output, Placement, Playlist, Settings, StartPolicy
from shared.jobspec.encryption import digest, encoded
from shared.models import Answer
from shared.protocol import DetectedProperties, Progress
from shared.statuses import ClusterStatus, JobStatus, NodeState, NodeTrust, PipelineStatus

Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    items: list[Item]
    next_page_token: str | None = Field(None, description="Null on the last page.")


class StatusDetail(Answer):
    code: int = Field(description="Elastic Transcoder's published error number.")
    message: str
    reason: FailureReason | None = Field(
        None, description="What programs may branch on, where the number is not enough."
    )


class InputView(Input):
    detected: DetectedProperties | None = Field(None, description="Known once a node has probed the file.")


class ObjectView(Answer):
    key: str
    size: int
    role: str = "media"
    initialization_vector: str | None = Field(
        None, description="Base64, of an object that is encrypted as a file: where a job has several, each has its own."
    )


class ContentKeyView(Answer):
    pointer: str = Field(description="What the key is of, as a JSON pointer into the job.")
    key: str = Field(description="Base64: the key itself.")
    key_md5: str
    initialization_vector: str


class ContentKeysView(Answer):
    items: list[ContentKeyView]


class OutputView(Output):
    id: str
    status: JobStatus
    status_detail: StatusDetail | None = None
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    duration: float | None = Field(None, description="Seconds.")
    size: int | None = Field(None, description="Bytes, of all media of this output.")
    encoder: str | None = None
    applied_color_space_conversion: str | None = Field(
        None, description='The conversion of colours that was made: "None", "Bt709ToBt601", "Bt601ToBt709", …'
    )
    objects: list[ObjectView] = []


class PlaylistView(Playlist):
    status: JobStatus
    status_detail: StatusDetail | None = None
    objects: list[ObjectView] = []


class AttemptView(Answer):
    number: Attempt
    node_id: NodeId | None
    encoder: str | None


class Timing(Answer):
    submitted_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class WaitingView(Answer):
    code: Code
    message: str
    details: dict[str, Any] = Field(description="The figures behind the message; which ones depends on the code.")


class JobView(Answer):
    id: JobId
    pipeline_id: PipelineId
    status: JobStatus
    status_detail: StatusDetail | None = Field(
        None, description="Why the whole job failed, where one reason covers it."
    )
    waiting_because: WaitingView | None = Field(None, description="Null for a job that does not wait.")
    priority: int
    start: StartPolicy
    placement: Placement
    cluster_id: ClusterId | None = Field(description="Asked for, or where it ran first.")
    inputs: list[InputView]
    output_key_prefix: str
    outputs: list[OutputView]
    playlists: list[PlaylistView]
    metadata: dict[str, str]
    max_attempts: int
    retry_of: JobId | None = Field(None, description="The job that this one repeats.")
    progress: Progress | None
    attempt: AttemptView | None
    timing: Timing


def job(
    found: records.Job, progress: Progress | None, waiting: Waiting | None, document: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A JobView as a dictionary: made by hand, since it is on the way of every submission.

    `document` is the job's, where somebody has it at hand.
    """
    document = document or orjson.loads(found.document)
    result = orjson.loads(found.result) if found.result else {}
    failure = _detail(result.get("failure"))
    detected = result.get("inputs") or []
    outcomes = {outcome["index"]: outcome for outcome in result.get("outputs") or []}
    lists = {outcome["index"]: outcome for outcome in result.get("playlists") or []}
    has_begun = found.attempt and found.status is not JobStatus.SUBMITTED
    unmade: dict[str, Any] = {"status": found.status, "status_detail": failure, "objects": []}
    unmade_output = {**_NO_FACTS, **unmade}
    return {
        "id": found.id,
        "pipeline_id": found.pipeline_id,
        "status": found.status,
        "status_detail": failure,
        "waiting_because": {"code": waiting.code, "message": waiting.message, "details": waiting.details}
        if waiting
        else None,
        "priority": document["priority"],
        "start": document["start"],
        "placement": document["placement"],
        "cluster_id": found.cluster_id,
        "inputs": [
            {**wanted, "detected": detected[index] if index < len(detected) else None}
            for index, wanted in enumerate(document["inputs"])
        ],
        "output_key_prefix": document["output_key_prefix"],
        "outputs": [
            {"id": str(number), **wanted, **_made(outcomes.get(number - 1), unmade_output, _OUTPUT_FACTS)}
            for number, wanted in enumerate(document["outputs"], 1)
        ],
        "playlists": [
            {**wanted, **_made(lists.get(index), unmade, ())} for index, wanted in enumerate(document["playlists"])
        ],
        "metadata": document["metadata"],
        "max_attempts": document["max_attempts"],
        "retry_of": found.retry_of,
        "progress": progress.model_dump() if progress and found.status is JobStatus.PROGRESSING else None,
        "attempt": {
            "number": found.attempt,
            "node_id": found.node_id,
            "encoder": progress.encoder if progress else None,
        }
        if has_begun
        else None,
        "timing": {
            "submitted_at": to_datetime(found.submitted_at),
            "started_at": _time(found.started_at),
            "finished_at": _time(found.finished_at),
        },
    }


def content_keys(found: Sequence[RevealedKey]) -> ContentKeysView:
    return ContentKeysView(
        items=[
            ContentKeyView(
                pointer=one.pointer,
                key=encoded(one.key),
                key_md5=digest(one.key),
                initialization_vector=one.initialization_vector,
            )
            for one in found
        ]
    )


_OUTPUT_FACTS = ("width", "height", "frame_rate", "duration", "size", "encoder", "applied_color_space_conversion")
_NO_FACTS: dict[str, Any] = dict.fromkeys(_OUTPUT_FACTS)


def _made(outcome: dict[str, Any] | None, unmade: dict[str, Any], facts: tuple[str, ...]) -> dict[str, Any]:
    """What came of an output or a playlist; until the job has ended, and when it failed whole, what came of the job."""
    if outcome is None:
        return unmade
    return {
        **{fact: outcome.get(fact) for fact in facts},
        "status": outcome["status"],
        "status_detail": _detail(outcome["failure"]),
        "objects": [
            {
                "key": made["key"],
                "size": made["size"],
                "role": made["role"],
                "initialization_vector": made.get("initialization_vector"),
            }
            for made in outcome["objects"]
        ],
    }


def _detail(failure: dict[str, Any] | None) -> dict[str, Any] | None:
    if not failure:
        return None
    return {"code": failure["code"], "message": failure["message"], "reason": failure.get("reason")}


class RetryView(Answer):
    id: JobId
    retry_of: JobId


class RetriesView(Answer):
    items: list[RetryView]
    has_more: bool = Field(description="More have failed in this time: ask again.")


def retries(made: Sequence[records.Job], *, has_more: bool) -> RetriesView:
    items = [RetryView(id=job.id, retry_of=job.retry_of) for job in made if job.retry_of is not None]
    return RetriesView(items=items, has_more=has_more)


class EventView(Answer):
    id: int
    at: dt.datetime
    type: str
    data: dict[str, Any]


def event(found: records.Event) -> EventView:
    return EventView(id=found.id, at=to_datetime(found.at), type=found.type, data=orjson.loads(found.data))


class TenantEventView(EventView):
    job_id: JobId


def tenant_event(found: records.TenantEvent) -> TenantEventView:
    return TenantEventView(**dict(event(found)), job_id=found.job_id)


class DeedView(Answer):
    id: int
    at: dt.datetime
    user_id: str
    role: str
    tenant_id: TenantId | None = Field(description="The tenant that it was done to.")
    address: str
    request_id: str
    action: str = Field(description="The `operationId` of the call.")
    object: str = Field(description='What the path named and what was made, with "/" between them.')


def deed(found: Deed) -> DeedView:
    return DeedView(**{**vars(found), "at": to_datetime(found.at)})


class LogView(Answer):
    attempt: Attempt
    node_id: NodeId
    at: dt.datetime = Field(description="When its last line came.")
    said: int = Field(description="Characters that the attempt has said in all; `text` holds the last of them.")
    text: str


def log(found: records.AttemptLog) -> LogView:
    return LogView(
        attempt=found.attempt, node_id=found.node_id, at=to_datetime(found.at), said=found.said, text=found.text
    )


class PipelineView(Answer):
    id: PipelineId
    name: str
    input_bucket: str
    output_bucket: str
    thumbnail_bucket: str
    status: PipelineStatus
    created_at: dt.datetime


def pipeline(found: records.Pipeline) -> PipelineView:
    return PipelineView(
        id=found.id,
        name=found.name,
        input_bucket=found.input_bucket,
        output_bucket=found.output_bucket,
        thumbnail_bucket=found.thumbnail_bucket,
        status=found.status,
        created_at=to_datetime(found.created_at),
    )


class PresetView(Answer):
    id: PresetId
    name: str
    description: str
    type: str = Field(description='"System" or "Custom".')
    settings: Settings


def preset(found: AnyPreset) -> PresetView:
    return PresetView(
        id=found.id,
        name=found.name,
        description=found.description,
        type="System" if found.is_system else "Custom",
        settings=found.settings,
    )


class BucketView(Answer):
    name: str
    kind: str
    root: str
    created_at: dt.datetime


def bucket(found: records.Bucket) -> BucketView:
    return BucketView(name=found.name, kind=found.kind, root=found.root, created_at=to_datetime(found.created_at))


class StoredObject(Answer):
    key: str
    size: int
    modified_at: dt.datetime


def stored(found: ObjectInfo) -> StoredObject:
    return StoredObject(key=found.key, size=found.size, modified_at=to_datetime(found.modified_at))


class LinkView(Answer):
    method: str
    url: str
    expires_in: float = Field(description="Seconds.")


class OutputLinks(Answer):
    key: str
    role: str
    url: str


class PermissionView(Answer):
    actions: tuple[str, ...]
    resources: tuple[str, ...]


class UserView(Answer):
    id: UserId
    tenant_id: TenantId | None = Field(description="Null for operators.")
    name: str
    role: Role
    permissions: tuple[PermissionView, ...]
    created_at: dt.datetime


def user(found: records.User) -> UserView:
    return UserView(
        id=found.id,
        tenant_id=found.tenant_id,
        name=found.name,
        role=found.role,
        permissions=orjson.loads(found.permissions),
        created_at=to_datetime(found.created_at),
    )


class KeyView(Answer):
    id: KeyId
    user_id: UserId
    label: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


class NewKeyView(KeyView):
    key: str = Field(description="Shown now, and never again.")


def key(found: records.ApiKey) -> KeyView:
    return KeyView(
        id=found.id,
        user_id=found.user_id,
        label=found.label,
        created_at=to_datetime(found.created_at),
        expires_at=_time(found.expires_at),
        revoked_at=_time(found.revoked_at),
    )


class TenantView(Answer):
    id: TenantId
    name: str
    weight: int
    priority_ceiling: int = Field(description="The highest priority of its jobs that counts against other tenants.")
    rates: dict[Operation, int] = Field(description="Calls per minute where they differ from the service's own.")
    queued: int
    running: int
    created_at: dt.datetime
    suspended_at: dt.datetime | None


def tenant(found: records.Tenant) -> TenantView:
    return TenantView(
        id=found.id,
        name=found.name,
        weight=found.weight,
        priority_ceiling=found.priority_ceiling,
        rates=orjson.loads(found.rates),
        queued=found.queued,
        running=found.running,
        created_at=to_datetime(found.created_at),
        suspended_at=_time(found.suspended_at),
    )


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


class ClusterView(Answer):
    id: ClusterId
    name: str
    status: ClusterStatus
    created_at: dt.datetime


def cluster(found: records.Cluster) -> ClusterView:
    return ClusterView(id=found.id, name=found.name, status=found.status, created_at=to_datetime(found.created_at))


class JoinTokenView(Answer):
    token: str = Field(description="Good for one node; shown now, and never again.")
    cluster_id: ClusterId
    expires_at: dt.datetime


class NodeView(Answer):
    id: NodeId
    cluster_id: ClusterId
    name: str
    state: NodeState
    running: int = Field(description="Attempts that it holds.")
    is_to_reprobe: bool = Field(description="It gets no new work until it has found out anew what it can do.")
    trust: NodeTrust = Field(description="Whether it gets work, as its own doings tell: see its events.")
    labels: dict[str, str]
    last_seen_at: dt.datetime | None
    created_at: dt.datetime
    facts: NodeFacts | None
    free: Free | None


def node(found: records.NodeAtWork) -> NodeView:
    facts = NodeFacts.model_validate_json(found.facts) if found.facts else None
    return NodeView(
        id=found.id,
        cluster_id=found.cluster_id,
        name=found.name,
        state=found.shown_state,
        running=found.running,
        is_to_reprobe=found.reprobe_asked_at is not None,
        trust=found.trust,
        labels={**(facts.labels if facts else {}), **orjson.loads(found.labels)},
        last_seen_at=_time(found.last_seen_at),
        created_at=to_datetime(found.created_at),
        facts=facts,
        free=Free.model_validate_json(found.free) if found.free else None,
    )


def _time(ms: int | None) -> dt.datetime | None:
    return None if ms is None else to_datetime(ms)
