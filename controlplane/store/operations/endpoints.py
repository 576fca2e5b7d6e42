"""Webhooks of tenants, and the endpoints behind their topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from controlplane.domain.notifications import EndpointKind
from controlplane.domain.quota import Quota
from controlplane.store.operations import quotas
from controlplane.store.port import Op, Row, call
from controlplane.store.records import Endpoint, record, the_one
from shared.errors import AlreadyExists, NotFound
from shared.ids import EndpointId, TenantId

_KEPT = ("reason", "asked_at", "created_at")


def add(new: Endpoint) -> Op[Endpoint]:
    """Raises QuotaExceeded for one webhook too many, AlreadyExists for an endpoint that is behind the same topic already."""
    if new.kind is EndpointKind.WEBHOOK:
        yield from quotas.take(new.tenant_id, Quota.WEBHOOKS)
    elif not (yield call("tenant", id=new.tenant_id)):
        raise NotFound("tenant")
    fields = {name: value for name, value in asdict(new).items() if name not in _KEPT}
    rows = yield call("insert_endpoint", **fields, now=new.created_at)
    if not rows:
        raise AlreadyExists("This endpoint is behind this topic already.", pointer="/url")
    return record(Endpoint, rows[0])


def read(kind: EndpointKind, tenant_id: TenantId | None, endpoint_id: EndpointId) -> Op[Endpoint]:
    """Without a tenant, whosoever it is."""
    return _found(kind, (yield call("endpoint", id=endpoint_id, kind=kind, tenant_id=tenant_id)))


def webhooks(tenant_id: TenantId, after: str, size: int) -> Op[list[Endpoint]]:
    rows = yield call("endpoints_of_tenant", tenant_id=tenant_id, kind=EndpointKind.WEBHOOK, after=after, size=size)
    return [record(Endpoint, row) for row in rows]


def topics(after: str, size: int) -> Op[list[Endpoint]]:
    """Of all tenants."""
    return [record(Endpoint, row) for row in (yield call("every_topic", after=after, size=size))]


def known_topics(tenant_id: TenantId) -> Op[frozenset[str]]:
    """The topics of a tenant behind which there is anything."""
    return frozenset(row["arn"] for row in (yield call("known_topics", tenant_id=tenant_id)))


def update(
    kind: EndpointKind, tenant_id: TenantId | None, endpoint_id: EndpointId, change: Callable[[Endpoint], Endpoint]
) -> Op[Endpoint]:
    """`change` is told the endpoint as it is in this transaction, so that no other change is undone."""
    changed = change((yield from read(kind, tenant_id, endpoint_id)))
    rows = yield call(
        "update_endpoint",
        id=changed.id,
        url=changed.url,
        description=changed.description,
        types=changed.types,
        secrets=changed.secrets,
        status=changed.status,
        reason=changed.reason,
        asked_at=changed.asked_at,
    )
    return _found(kind, rows)


def delete(kind: EndpointKind, tenant_id: TenantId | None, endpoint_id: EndpointId) -> Op[None]:
    """What was to be sent to it is sent no more, and goes with its age."""
    known = yield from read(kind, tenant_id, endpoint_id)
    yield call("delete_endpoint", id=endpoint_id)
    if kind is EndpointKind.WEBHOOK:
        yield from quotas.give_back(known.tenant_id, Quota.WEBHOOKS)


def _found(kind: EndpointKind, rows: Sequence[Row]) -> Endpoint:
    return the_one(Endpoint, rows, kind)
