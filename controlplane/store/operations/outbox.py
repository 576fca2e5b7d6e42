"""What endpoints are told: written in the transaction of what happened, sent afterwards, kept as a log.

Whether anybody listens is told in passing by the statements that change a job, so that tenants without webhooks and topics
pay no statement and no row for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from controlplane.domain.notifications import DeliveryState, Happening, Notifications, hears
from controlplane.store.port import Calls, Op, Row, call
from controlplane.store.records import Delivery, Endpoint, Job, record, the_one
from shared.ids import EndpointId, JobId, MessageId, prefixed_id


@dataclass(frozen=True)
class Told:
    """Something that happened to a job."""

    job_id: JobId
    happening: Happening
    now: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """A delivery to be sent now; `job` is None for one about the endpoint itself, and when the job is gone."""

    delivery: Delivery
    endpoint: Endpoint
    job: Job | None


@dataclass(frozen=True)
class Sent:
    """What a try came to. `due_at` is when there is another, None for an end in `state`.

    `disables` is why the endpoint gets nothing more from now on.
    """

    delivery: Delivery
    attempts: str
    state: DeliveryState
    due_at: int | None = None
    disables: str | None = None


def tell(told: Sequence[Told]) -> Op[None]:
    """A message for everybody who listens to these."""
    if not told:
        return
    rows = yield Calls("listeners", [{"job_id": each.job_id, "heard": hears(each.happening)} for each in told])
    by_job = {each.job_id: each for each in told}
    listening = [(row, by_job[row["job_id"]]) for row in rows]
    yield Calls("insert_delivery", [_delivery(row, each) for row, each in listening if _listens(row, each.happening)])


def tell_if(rows: Sequence[Row], told: Told) -> Op[None]:
    """When the statement that changed the job says that somebody listens."""
    if rows and rows[0]["is_heard"]:
        yield from tell([told])


def add(endpoint: Endpoint, type_: str, now: int, data: Mapping[str, Any] | None = None) -> Op[Delivery]:
    """A message about the endpoint itself."""
    message = _message(endpoint.id, type_, data or {}, now)
    yield call("insert_delivery", **message, job_id=None, due_at=now)
    return (yield from delivery(endpoint.id, message["id"]))


def due() -> Op[Mapping[EndpointId, int]]:
    """Of every endpoint that something waits for, when that is due."""
    return {EndpointId(row["id"]): int(row["due_at"]) for row in (yield call("due_endpoints"))}


def exchange(endpoint_id: EndpointId, sent: Sent | None, *, now: int, until: int) -> Op[Message | None]:
    """Notes what a try came to, and takes the next message for the endpoint: nobody else does before `until`."""
    if sent is not None:
        yield from _note(sent, now)
    rows = yield call("claim_delivery", endpoint_id=endpoint_id, now=now, until=until)
    if not rows:
        return None
    claimed = record(Delivery, rows[0])
    (to,) = yield call("endpoint", id=endpoint_id, kind=None, tenant_id=None)
    about = (yield call("job", id=claimed.job_id, tenant_id=to["tenant_id"])) if claimed.job_id is not None else ()
    return Message(claimed, record(Endpoint, to), record(Job, about[0]) if about else None)


def delivery(endpoint_id: EndpointId, message_id: MessageId) -> Op[Delivery]:
    rows = yield call("delivery", endpoint_id=endpoint_id, id=message_id)
    return the_one(Delivery, rows, "delivery")


def deliveries(endpoint_id: EndpointId, state: DeliveryState | None, before: int, size: int) -> Op[list[Delivery]]:
    """Newest first."""
    rows = yield call("deliveries_of_endpoint", endpoint_id=endpoint_id, state=state, before=before, size=size)
    return [record(Delivery, row) for row in rows]


def redeliver(endpoint_id: EndpointId, message_id: MessageId, now: int) -> Op[Delivery]:
    """Sends it now, with a day of tries before it; what stands behind another message of its job stays there."""
    rows = yield call("redeliver", endpoint_id=endpoint_id, id=message_id, now=now)
    return record(Delivery, rows[0]) if rows else (yield from delivery(endpoint_id, message_id))


def _note(sent: Sent, now: int) -> Op[None]:
    told = sent.delivery
    if sent.disables is not None:
        yield call("disable_endpoint", id=told.endpoint_id, reason=sent.disables)
    if sent.due_at is not None:
        yield call("delay_delivery", id=told.id, due_at=sent.due_at, attempts=sent.attempts)
        return
    ended = yield call("end_delivery", id=told.id, state=sent.state, now=now, attempts=sent.attempts)
    if ended and told.job_id is not None:
        yield call("let_next_go", job_id=told.job_id, endpoint_id=told.endpoint_id, now=now)


def _listens(row: Row, happening: Happening) -> bool:
    """A topic is told of what the job's pipeline names it for."""
    if row["arn"] is None:
        return True
    named = Notifications.model_validate_json(row["notifications"] or "{}").topic(happening)
    return named is not None and named == row["arn"]


def _delivery(row: Row, told: Told) -> Mapping[str, Any]:
    """One that stands behind another of its job is due when that has ended."""
    to = _message(EndpointId(row["id"]), told.happening, told.data, told.now)
    return {**to, "job_id": told.job_id, "due_at": None if row["is_behind"] else told.now}


def _message(endpoint_id: EndpointId, type_: str, data: Mapping[str, Any], now: int) -> dict[str, Any]:
    text = orjson.dumps(data).decode()
    return {"id": prefixed_id("msg", now), "endpoint_id": endpoint_id, "type": type_, "data": text, "now": now}
