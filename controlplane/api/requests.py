"""What is sent, besides the job document."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from controlplane.domain.addresses import MOST
from controlplane.domain.notifications import DeliveryState, EndpointStatus, Happening, Notifications, TopicArn
from controlplane.domain.permissions import GRANTS, KINDS, MOST_PATTERNS, Role, matches
from controlplane.domain.quota import DEFAULTS, MINUTE_MS, Quota
from controlplane.domain.throttle import Operation
from shared.ids import TenantId, UserId
from shared.jobspec import Settings
from shared.jobspec.fields import (
    BucketName,
    ClientRequestToken,
    KeyPrefix,
    LabelKey,
    LabelValue,
    MetadataKey,
    MetadataValue,
    Name,
    ObjectKey,
    Slug,
    TranscoderId,
)
from shared.models import Sent
from shared.statuses import JobStatus

LAST_EVENT: Final = (1 << 63) - 1
"""The highest number that an event can have."""

_PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"
Words = Annotated[str, StringConstraints(pattern=_PLAIN, max_length=100)]
"""A line that people write for themselves."""
Named = Annotated[str, StringConstraints(pattern=_PLAIN)]
"""Of something that there may be."""
NamedTenant = Annotated[TenantId, StringConstraints(pattern=_PLAIN)]
NamedUser = Annotated[UserId, StringConstraints(pattern=_PLAIN)]


def _some_action(pattern: str) -> str:
    if not any(matches(pattern, action) for action in GRANTS[Role.TENANT_ADMIN]):
        raise ValueError(f"There is no action {pattern!r}; there are jobs:read, jobs:* and others.")
    return pattern


class Query(BaseModel):
    """Parameters of a URL: always text, so types are read from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_NOTE: Final = "metadata."


class PageQuery(Query):
    page_size: Annotated[int, Field(ge=1, le=200)] = 50
    page_token: str | None = None


class JobsQuery(PageQuery):
    status: JobStatus | None = None
    pipeline_id: TranscoderId | None = None
    cluster_id: Slug | None = None
    metadata: Annotated[
        dict[MetadataKey, MetadataValue],
        Field(max_length=10),
        WithJsonSchema(
            {
                "type": "string",
                "description": "Jobs whose metadata has this value under KEY; several narrow further. "
                "A page may be short, or empty, and yet not the last: go on while there is a `next_page_token`.",
            }
        ),
    ] = Field(default_factory=dict, alias=_NOTE + "KEY")
    ascending: bool = False

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, given: dict[str, str]) -> dict[str, Any]:
        notes = {name.removeprefix(_NOTE): value for name, value in given.items() if name.startswith(_NOTE)}
        others = {name: value for name, value in given.items() if not name.startswith(_NOTE)}
        return others | ({_NOTE + "KEY": notes} if notes else {})


class EventsQuery(Query):
    after: Annotated[int, Field(ge=0, le=LAST_EVENT)] = Field(
        0, description="The id of the last event that is known already."
    )


class TenantEventsQuery(PageQuery):
    after: Annotated[int, Field(ge=0, le=LAST_EVENT)] | None = Field(
        None,
        description="The id of the last event that is known already. A stream begins with what happens from now on when null.",
    )


class LogQuery(Query):
    attempt: Annotated[int, Field(ge=1, le=LAST_EVENT)] | None = Field(None, description="Of this attempt alone.")


class ObjectsQuery(PageQuery):
    prefix: Annotated[str, Field(max_length=1024)] = ""


class NodesQuery(PageQuery):
    cluster_id: Slug | None = None


class AuditQuery(PageQuery):
    tenant_id: Named | None = Field(None, description="The tenant that it was done to; for operators.")
    user_id: Named | None = None
    action: Named | None = Field(None, description="The `operationId` of a call.")
    object: Named | None = Field(None, description="What the call was about, as it stands in the log.")


class RetryOfJob(Sent):
    client_request_token: ClientRequestToken | None = Field(
        None, description="Makes this retry happen once: the same token for the same job again gives the first answer."
    )


class RetryOfFailed(Sent):
    failed_since: AwareDatetime
    failed_before: AwareDatetime | None = Field(None, description="Null: now.")
    pipeline_id: TranscoderId | None = Field(None, description="Of this pipeline alone.")
    limit: Annotated[int, Field(ge=1, le=500)] = Field(100, description="Jobs of one call; ask again for the rest.")


class NewPipeline(Sent):
    name: Name
    input_bucket: BucketName
    output_bucket: BucketName
    thumbnail_bucket: BucketName | None = Field(None, description="The output bucket when null.")
    notifications: Notifications = Field(Notifications(), description="Which topics are told of what.")


class PipelineChanges(Sent):
    name: Name | None = None
    input_bucket: BucketName | None = None
    output_bucket: BucketName | None = None
    thumbnail_bucket: BucketName | None = None
    notifications: Notifications | None = Field(None, description="In the place of all four.")


class NewPreset(Sent):
    name: Name
    description: Annotated[str, StringConstraints(pattern=_PLAIN, max_length=255)] = ""
    settings: Settings


class NewBucket(Sent):
    name: BucketName
    root: Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00-\x1f\x7f]*$")] | None = Field(
        None, description="A directory below `<bucket root>/<tenant id>/`; made from the name when null."
    )


class NewUpload(Sent):
    key: ObjectKey


LinkKey = Annotated[KeyPrefix, Field(max_length=1024)]


class NewLink(Sent):
    key: LinkKey = Field(
        description='An object, or with "/" at its end everything below: what players of playlists need.'
    )


Types = Annotated[
    tuple[Annotated[Happening, Field(strict=False)], ...],
    Field(min_length=1, max_length=len(Happening), fail_fast=True),
]
Url = Annotated[str, StringConstraints(max_length=MOST)]


class NewWebhook(Sent):
    url: Url = Field(description="https, of a host that everybody may reach, or one in `outgoing_networks`.")
    types: Types = Field(tuple(Happening), description="What it is told of.")
    description: Words = ""


class WebhookChanges(Sent):
    url: Url | None = None
    types: Types | None = None
    description: Words | None = None
    status: Literal[EndpointStatus.ACTIVE, EndpointStatus.DISABLED] | None = None


class Rotation(Sent):
    keep_old_for: Annotated[float, Field(ge=0, le=7 * 86_400)] = Field(
        86_400.0, description="Seconds for which messages are signed with the old secret too."
    )


class DeliveriesQuery(PageQuery):
    state: DeliveryState | None = None


class NewTopic(Sent):
    arn: TopicArn
    url: Url = Field(description="https, of a host that everybody may reach, or one in `outgoing_networks`.")
    tenant_id: NamedTenant | None = Field(
        None, description="The tenant whose pipelines tell it; null: the account that the ARN names."
    )


class NewKey(Sent):
    kind: Literal["bearer", "sigv4"] = Field(
        "bearer",
        description="`bearer` is sent with every request; `sigv4` has a secret that vendors' clients sign with.",
    )
    user_id: NamedUser | None = Field(
        None, description="Null: the caller, or the first admin of the tenant in the path."
    )
    label: Words = ""
    expires_in: Annotated[float, Field(gt=0, le=10 * 366 * 86_400)] | None = Field(
        None, description="Seconds; null: never."
    )


class KeysQuery(PageQuery):
    user_id: NamedUser | None = None


ActionPattern = Annotated[str, StringConstraints(max_length=64), AfterValidator(_some_action)]
ResourcePattern = Annotated[str, StringConstraints(pattern=rf"^(\*|({'|'.join(KINDS)})/[A-Za-z0-9_.*-]{{1,128}})$")]


class Permission(Sent):
    """In both lists `*` stands for anything."""

    actions: Annotated[
        tuple[ActionPattern, ...], Field(min_length=1, max_length=50, examples=[["jobs:*"]], fail_fast=True)
    ]
    resources: Annotated[
        tuple[ResourcePattern, ...], Field(min_length=1, max_length=50, examples=[["cluster/paris-1"]], fail_fast=True)
    ]


def _few(permissions: tuple[Permission, ...]) -> tuple[Permission, ...]:
    if sum(len(one.actions) + len(one.resources) for one in permissions) > MOST_PATTERNS:
        raise ValueError(f"all statements of a user together name at most {MOST_PATTERNS} actions and resources")
    return permissions


Permissions = Annotated[tuple[Permission, ...], Field(max_length=50, fail_fast=True), AfterValidator(_few)]


class NewUser(Sent):
    name: Name
    role: Role | None = Field(None, description="`tenant_user` when null.")
    permissions: Permissions = Field((), description="Narrow the role to what one of them allows; none: all of it.")


class UserChanges(Sent):
    name: Name | None = None
    role: Role | None = None
    permissions: Permissions | None = None


class NewTenant(Sent):
    name: Name
    id: Annotated[TenantId, StringConstraints(pattern=r"^[0-9]{12}$")] | None = Field(
        None, description="Twelve digits: the account number in vendors' dialects. A random one when null."
    )
    weight: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="Its share when tenants compete.")


Limit = Annotated[int, Field(ge=0, le=10**15)] | None
MinutesLimit = Annotated[float, Field(ge=0, le=10**12)] | None


def _default(quota: Quota) -> Any:
    return Field(DEFAULTS[quota])


class Limits(Sent):
    """Null is no limit."""

    queued_jobs: Limit = _default(Quota.QUEUED_JOBS)
    running_jobs: Limit = _default(Quota.RUNNING_JOBS)
    outputs_per_job: Limit = _default(Quota.OUTPUTS_PER_JOB)
    output_minutes: MinutesLimit = Field(
        DEFAULTS[Quota.OUTPUT_MINUTES] / MINUTE_MS, description="By calendar month, in UTC; of every output by itself."
    )
    stored_bytes: Limit = _default(Quota.STORED_BYTES)
    presets: Limit = _default(Quota.PRESETS)
    pipelines: Limit = _default(Quota.PIPELINES)
    buckets: Limit = _default(Quota.BUCKETS)
    keys: Limit = Field(DEFAULTS[Quota.KEYS], description="Not revoked.")
    webhooks: Limit = _default(Quota.WEBHOOKS)

    def by_quota(self) -> dict[Quota, int | None]:
        """As they are counted."""
        limits = {Quota(name): limit for name, limit in self if name != Quota.OUTPUT_MINUTES}
        minutes = self.output_minutes
        return limits | {Quota.OUTPUT_MINUTES: None if minutes is None else round(minutes * MINUTE_MS)}


class Repair(Sent):
    tenant_id: Named | None = Field(None, description="Of this tenant alone.")


class UserLimits(Sent):
    """Null is no limit but the tenant's."""

    queued_jobs: Limit = None
    running_jobs: Limit = None

    def by_quota(self) -> dict[Quota, int | None]:
        return {Quota.QUEUED_JOBS: self.queued_jobs, Quota.RUNNING_JOBS: self.running_jobs}


class UsageQuery(Query):
    by: Literal["day"] = "day"
    since: dt.date | None = Field(
        None, description="The first day, in UTC; the first of the month of `until` when left out."
    )
    until: dt.date | None = Field(None, description="The last day; today when left out.")
    format: Literal["json", "csv"] | None = None


Rate = Annotated[int, Field(ge=1, le=60_000_000)]


class TenantChanges(Sent):
    name: Name | None = None
    weight: Annotated[int, Field(ge=1, le=1000)] | None = None
    priority_ceiling: Annotated[int, Field(ge=-50, le=50)] | None = Field(
        None, description="The highest priority of its jobs that counts against other tenants; 0 until it is set."
    )
    rates: dict[Operation, Rate | None] = Field(
        default_factory=dict,
        description="Calls per minute: of each user, for cancel of all users together; null for the service's own.",
    )


class NewCluster(Sent):
    id: Slug
    name: Words = ""


class ClusterChanges(Sent):
    name: Words


class NodeChanges(Sent):
    name: Words | None = Field(None, description="As it was when null.")
    labels: Annotated[dict[LabelKey, LabelValue | None], Field(max_length=20)] = Field(
        default_factory=dict, description="Put on, over those of the agent's own settings; null takes one off."
    )


class NewJoinToken(Sent):
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=20)
    expires_in: Annotated[float, Field(gt=0, le=86_400)] = Field(3600.0, description="Seconds.")
