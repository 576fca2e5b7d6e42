"""Webhooks, topics, and what they were sent."""

from __future__ import annotations

import datetime as dt

import orjson
from pydantic import Field

from controlplane.api.views.pages import moment
from controlplane.domain.notifications import DeliveryState, EndpointStatus, Happening
from controlplane.services.topics import subscription_arn
from controlplane.store import records
from shared.clock import to_datetime
from shared.ids import EndpointId, JobId, MessageId, TenantId
from shared.models import Answer


class WebhookView(Answer):
    id: EndpointId
    url: str
    types: list[Happening] = Field(description="What it is told of.")
    description: str
    status: EndpointStatus
    reason: str | None = Field(description="Why the service has disabled it.")
    created_at: dt.datetime


class NewWebhookView(WebhookView):
    secret: str = Field(description="What messages are signed with; shown now, and never again.")


def webhook(found: records.Endpoint) -> WebhookView:
    return WebhookView(
        id=found.id,
        url=found.url,
        types=orjson.loads(found.types),
        description=found.description,
        status=found.status,
        reason=found.reason,
        created_at=to_datetime(found.created_at),
    )


class TopicView(Answer):
    id: EndpointId
    arn: str
    tenant_id: TenantId = Field(description="The tenant whose pipelines tell it.")
    url: str
    subscription_arn: str
    status: EndpointStatus = Field(description="Pending until the endpoint, or an operator, has confirmed.")
    reason: str | None = Field(description="Why it is disabled.")
    created_at: dt.datetime


def topic(found: records.Endpoint) -> TopicView:
    return TopicView(
        id=found.id,
        arn=found.arn or "",
        tenant_id=found.tenant_id,
        url=found.url,
        subscription_arn=subscription_arn(found),
        status=found.status,
        reason=found.reason,
        created_at=to_datetime(found.created_at),
    )


class DeliveryAttemptView(Answer):
    at: dt.datetime
    status: int | None = Field(description="Of the answer; null when none came.")
    error: str | None = Field(description="Why none came.")
    took: int = Field(description="Milliseconds.")


class DeliveryView(Answer):
    id: MessageId = Field(description="The `webhook-id` of the message; in a topic's `MessageId` with dashes.")
    type: str
    job_id: JobId | None
    at: dt.datetime = Field(description="When that happened which it tells of.")
    state: DeliveryState
    next_attempt_at: dt.datetime | None = Field(
        description="Null when there is none, and while an earlier message about the same job is not through."
    )
    attempts: list[DeliveryAttemptView]


def delivery(found: records.Delivery) -> DeliveryView:
    attempts = orjson.loads(found.attempts)
    return DeliveryView(
        id=found.id,
        type=found.type,
        job_id=found.job_id,
        at=to_datetime(found.at),
        state=found.state,
        next_attempt_at=moment(found.due_at),
        attempts=[DeliveryAttemptView(**{**one, "at": to_datetime(one["at"])}) for one in attempts],
    )
