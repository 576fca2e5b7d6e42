"""Users of tenants, and operators: who they are and what they may do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import orjson

from controlplane.domain.permissions import NARROWED, Role, Statement
from controlplane.store.operations import identity
from controlplane.store.port import Store
from controlplane.store.records import User
from shared.clock import Clock
from shared.errors import InvalidField
from shared.ids import TenantId, UserId, prefixed_id

_TENANTS: Final = frozenset(Role) - {Role.OPERATOR}


class Users:
    """No tenant means the operators."""

    def __init__(self, store: Store, clock: Clock, forget: Callable[[], None]) -> None:
        """`forget` is called when somebody may do less or more than before."""
        self._store = store
        self._clock = clock
        self._forget = forget

    async def create(
        self, tenant_id: TenantId | None, name: str, role: Role | None, statements: Sequence[Statement]
    ) -> User:
        """Without a role, one that manages nobody; operators are all alike."""
        role = role or (Role.OPERATOR if tenant_id is None else Role.TENANT_USER)
        _check(tenant_id, role, statements)
        now = self._clock.now_ms()
        new = User(UserId(prefixed_id("us", now)), tenant_id, name, role, _text(statements), now)
        return await self._store.write(identity.add_user(new))

    async def get(self, tenant_id: TenantId | None, user_id: UserId) -> User:
        return await self._store.read(identity.user(tenant_id, user_id))

    async def page(self, tenant_id: TenantId | None, after: str, size: int) -> list[User]:
        return await self._store.read(identity.users(tenant_id, after, size))

    async def update(
        self,
        tenant_id: TenantId | None,
        user_id: UserId,
        *,
        name: str | None,
        role: Role | None,
        statements: Sequence[Statement] | None,
    ) -> User:
        """What is None stays. Holds at once, for keys that were made before as well."""

        def changed(before: User) -> User:
            after = replace(
                before,
                name=name or before.name,
                role=role or before.role,
                permissions=before.permissions if statements is None else _text(statements),
            )
            _check(tenant_id, after.role, orjson.loads(after.permissions))
            return after

        user = await self._store.write(identity.update_user(tenant_id, user_id, changed))
        self._forget()
        return user

    async def delete(self, tenant_id: TenantId | None, user_id: UserId) -> None:
        """With its keys; its jobs stay the tenant's."""
        await self._store.write(identity.delete_user(tenant_id, user_id))
        self._forget()


def _check(tenant_id: TenantId | None, role: Role, statements: Sequence[object]) -> None:
    if (role is Role.OPERATOR) is not (tenant_id is None):
        detail = "Operators have one role." if tenant_id is None else f"A tenant's user is {_names(_TENANTS)}."
        raise InvalidField(detail, pointer="/role")
    if statements and role not in NARROWED:
        raise InvalidField(f"Only {_names(NARROWED)} can be narrowed.", pointer="/permissions")


def _names(roles: frozenset[Role]) -> str:
    return " or ".join(f"`{role}`" for role in sorted(roles))


def _text(statements: Sequence[Statement]) -> str:
    return orjson.dumps(list(statements)).decode()
