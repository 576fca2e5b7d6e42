"""Who may call: users, keys, tenants."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import orjson
from pydantic import Field

from controlplane.api.views.pages import moment
from controlplane.domain.permissions import Role
from controlplane.domain.throttle import Operation
from controlplane.store import records
from shared.clock import to_datetime
from shared.ids import KeyId, TenantId, UserId
from shared.models import Answer


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
    kind: Literal["bearer", "sigv4"]
    user_id: UserId
    label: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


class NewKeyView(KeyView):
    key: str | None = Field(None, description="Of a `bearer`; shown now, and never again.")
    access_key_id: KeyId | None = Field(None, description="Of a key for `sigv4`: its id.")
    secret_access_key: str | None = Field(None, description="Of a key for `sigv4`; shown now, and never again.")


def key(found: records.ApiKey) -> KeyView:
    return KeyView(
        id=found.id,
        kind="bearer" if found.sealed_secret is None else "sigv4",
        user_id=found.user_id,
        label=found.label,
        created_at=to_datetime(found.created_at),
        expires_at=moment(found.expires_at),
        revoked_at=moment(found.revoked_at),
    )


def new_key(made: records.ApiKey, secret: str) -> NewKeyView:
    view = key(made)
    shown = {"key": secret} if view.kind == "bearer" else {"access_key_id": made.id, "secret_access_key": secret}
    return NewKeyView(**dict(view), **shown)


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
    is_doubted: bool = Field(description="So many of its jobs failed that one runs at a time until one succeeds.")


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
        suspended_at=moment(found.suspended_at),
        is_doubted=bool(found.is_doubted),
    )
