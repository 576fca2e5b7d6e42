"""Rows with types: what operations return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any, TypeVar, get_type_hints

from controlplane.domain.notifications import DeliveryState, EndpointKind, EndpointStatus
from controlplane.domain.permissions import Role
from controlplane.store.port import Row
from shared.errors import NotFound
from shared.ids import (
    Attempt,
    BootId,
    ClusterId,
    EndpointId,
    JobId,
    KeyId,
    LeaseId,
    MessageId,
    NodeId,
    PipelineId,
    PresetId,
    TaskId,
    TenantId,
    UserId,
)
from shared.statuses import ClusterStatus, JobStatus, NodeState, NodeTrust, PipelineStatus, TaskState

R = TypeVar("R")


def record(kind: type[R], row: Row) -> R:
    """The record of this kind in a row that may have more columns."""
    # by its `__init__`, which sets each field past what freezes it, this would take seven times as long
    made = kind.__new__(kind)
    vars(made).update({name: convert(row[name]) if convert else row[name] for name, convert in _columns(kind).items()})  # type: ignore[arg-type]
    return made


def the_one(kind: type[R], rows: Sequence[Row], noun: str) -> R:
    """The record that was looked for. Raises NotFound, by its noun, when there is none."""
    if not rows:
        raise NotFound(noun)
    return record(kind, rows[0])


@cache
def _columns(kind: type[Any]) -> Mapping[str, Callable[[Any], Any] | None]:
    """The columns of a record; those that hold a state are made into it."""
    hints = get_type_hints(kind)
    states = (
        ClusterStatus,
        DeliveryState,
        EndpointKind,
        EndpointStatus,
        JobStatus,
        NodeState,
        NodeTrust,
        PipelineStatus,
        Role,
        TaskState,
    )
    return {field.name: hints[field.name] if hints[field.name] in states else None for field in fields(kind)}


@dataclass(frozen=True)
class Tenant:
    id: TenantId
    name: str
    weight: int
    priority_ceiling: int
    rates: str
    queued: int
    running: int
    created_at: int
    suspended_at: int | None
    is_doubted: bool
    """Too many of its jobs failed: one runs at a time until one succeeds."""


@dataclass(frozen=True)
class Usage:
    """What ended on one day, in UTC."""

    day: str
    complete: int
    error: int
    canceled: int
    output_ms: int
    bytes_in: int
    bytes_out: int
    encoder_ms: int


@dataclass(frozen=True)
class KeyHolder:
    """Of a key that is shown, `secret_hash`; of one that signs, `sealed_secret`."""

    secret_hash: str | None
    sealed_secret: str | None
    expires_at: int | None
    revoked_at: int | None
    user_id: UserId
    tenant_id: TenantId | None
    role: str
    permissions: str
    rates: str | None
    suspended_at: int | None


@dataclass(frozen=True)
class User:
    """`permissions` is a JSON text."""

    id: UserId
    tenant_id: TenantId | None
    name: str
    role: Role
    permissions: str
    created_at: int


@dataclass(frozen=True)
class ApiKey:
    id: KeyId
    user_id: UserId
    label: str
    sealed_secret: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None


@dataclass(frozen=True)
class Cluster:
    id: ClusterId
    name: str
    status: ClusterStatus
    created_at: int


@dataclass(frozen=True)
class Node:
    id: NodeId
    cluster_id: ClusterId
    name: str
    state: NodeState
    credential_hash: str
    labels: str
    boot_id: BootId | None
    facts: str | None
    free: str | None
    last_seen_at: int | None
    reprobe_asked_at: int | None
    trust: NodeTrust
    trusted_since: int
    booted_at: int
    ancestors: str
    rival_boot: BootId | None
    created_at: int


@dataclass(frozen=True)
class NodeAtWork(Node):
    """A node, and how many attempts it holds."""

    running: int

    @property
    def shown_state(self) -> NodeState:
        is_drained = self.state is NodeState.DRAINING and not self.running
        return NodeState.DRAINED if is_drained else self.state


@dataclass(frozen=True)
class Bucket:
    tenant_id: TenantId
    name: str
    kind: str
    root: str
    created_at: int


@dataclass(frozen=True)
class Pipeline:
    id: PipelineId
    tenant_id: TenantId
    name: str
    input_bucket: str
    output_bucket: str
    thumbnail_bucket: str
    status: PipelineStatus
    version: int
    created_at: int
    notifications: str = "{}"
    """`Notifications` as JSON."""
    terms: str = "{}"
    """JSON: what its maker said of it in a vendor's dialect, kept and answered back."""


@dataclass(frozen=True)
class PipelineRoots:
    """A pipeline's buckets, and where they lie."""

    id: PipelineId
    version: int
    input_bucket: str
    output_bucket: str
    thumbnail_bucket: str
    input_root: str
    output_root: str
    thumbnail_root: str

    @cached_property
    def roots(self) -> Mapping[str, str]:
        """As a job keeps them."""
        return {
            "input_bucket": self.input_bucket,
            "input_root": self.input_root,
            "output_bucket": self.output_bucket,
            "output_root": self.output_root,
            "thumbnail_bucket": self.thumbnail_bucket,
            "thumbnail_root": self.thumbnail_root,
        }


@dataclass(frozen=True)
class Preset:
    id: PresetId
    tenant_id: TenantId
    name: str
    description: str
    settings: str
    created_at: int
    terms: str = "{}"
    """JSON: what its maker said of it in a vendor's dialect, kept and answered back."""


@dataclass(frozen=True)
class Job:
    """A job with where its task stands. `document`, `result` and `progress` are JSON texts."""

    id: JobId
    tenant_id: TenantId
    pipeline_id: PipelineId
    cluster_id: ClusterId | None
    status: JobStatus
    document: str
    result: str | None
    retry_of: JobId | None
    submitted_at: int
    started_at: int | None
    finished_at: int | None
    task_id: TaskId
    task_state: TaskState
    attempt: Attempt
    node_id: NodeId | None
    progress: str | None
    not_before: int
    need: str
    pipeline_status: str | None
    tenant_is_full: bool
    """Its tenant runs as many jobs as it may."""
    user_is_full: bool
    """Whoever submitted it does."""
    tenant_is_doubted: bool = False
    """Too many jobs of its tenant failed, and one of them runs."""


@dataclass(frozen=True)
class Task:
    id: TaskId
    job_id: JobId
    tenant_id: TenantId
    user_id: UserId
    pipeline_id: PipelineId
    need: str
    state: TaskState
    files: str
    max_attempts: int
    attempt: Attempt
    spent: int
    node_faults: int
    failed_on: str
    killed_on: str
    publish_by: int | None
    node_id: NodeId | None
    boot_id: BootId | None
    lease_id: LeaseId | None
    leased_at: int | None
    granted: str | None
    noted: int
    """Events of the attempt that are in the job's history."""
    report: str | None
    ended_lease: LeaseId | None
    ended_report: str | None
    month: str | None
    """In which its minutes count: that of the first probe."""
    output_ms: int
    stored_bytes: int


@dataclass(frozen=True)
class Work:
    """What a task is to do, as it was asked for, and where its files lie. `presets` are the settings of tenants' presets by id.

    All of them are JSON texts.
    """

    document: str
    presets: str
    files: str


@dataclass(frozen=True)
class AttemptLog:
    """The end of what an attempt said: the last of `said` characters."""

    attempt: Attempt
    node_id: NodeId
    said: int
    text: str
    at: int


@dataclass(frozen=True)
class Endpoint:
    """A webhook, or what is behind a topic. `types` and `secrets` are JSON texts; the secrets are sealed."""

    id: EndpointId
    tenant_id: TenantId
    kind: EndpointKind
    arn: str | None
    url: str
    description: str
    types: str
    secrets: str
    base_url: str
    status: EndpointStatus
    reason: str | None
    """Why it is disabled."""
    asked_at: int
    """When it was last asked to confirm, or a secret was made."""
    created_at: int


@dataclass(frozen=True)
class Delivery:
    """A message for one endpoint. `data` and `attempts` are JSON texts."""

    number: int
    """Rises from one to the next."""
    id: MessageId
    endpoint_id: EndpointId
    job_id: JobId | None
    type: str
    data: str
    at: int
    state: DeliveryState
    due_at: int | None
    begun_at: int
    tries: int
    attempts: str
    ended_at: int | None


@dataclass(frozen=True)
class Event:
    id: int
    at: int
    type: str
    data: str


@dataclass(frozen=True)
class TenantEvent(Event):
    """Of some job of a tenant."""

    job_id: JobId
    pipeline_id: PipelineId
    cluster_id: ClusterId | None
