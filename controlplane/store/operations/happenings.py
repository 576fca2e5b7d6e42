"""Events of all jobs of a tenant, in the order in which they were written."""

from __future__ import annotations

from controlplane.store.port import Op, call
from controlplane.store.records import TenantEvent, record
from shared.ids import TenantId


def after(tenant_id: TenantId, event_id: int, size: int) -> Op[list[TenantEvent]]:
    rows = yield call("events_of_tenant", tenant_id=tenant_id, after=event_id, size=size)
    return [record(TenantEvent, row) for row in rows]


def newest() -> Op[int]:
    """Of whichever tenant."""
    (row,) = yield call("newest_event")
    return int(row["id"] or 0)
