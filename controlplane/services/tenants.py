"""Tenants and their keys; operators' keys."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from controlplane.auth import access_keys, credentials
from controlplane.auth.content_keys import Seal
from controlplane.store.operations import identity
from controlplane.store.port import Store
from controlplane.store.records import ApiKey, Tenant
from shared.clock import Clock
from shared.errors import InvalidField, NotFound
from shared.ids import KeyId, TenantId, UserId, prefixed_id


class Tenants:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        seal: Seal | None = None,
        forget: Callable[[], None] = lambda: None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`seal` closes the secrets of keys that sign.

        `forget` is called when somebody may do less or more than before: whoever remembers callers must ask anew. `wake` is
        called when work that was held back may go.
        """
        self._store = store
        self._clock = clock
        self._seal = seal
        self._forget = forget
        self._wake = wake

    async def create(self, name: str, weight: int, tenant_id: TenantId | None = None) -> Tenant:
        """Its id is its account number in vendors' dialects; a random one when none is chosen."""
        now = self._clock.now_ms()
        tenant_id = tenant_id or TenantId(f"{secrets.randbelow(9 * 10**11) + 10**11}")
        return await self._store.write(
            identity.add_tenant(tenant_id, name, weight, UserId(prefixed_id("us", now)), now)
        )

    async def get(self, tenant_id: TenantId) -> Tenant:
        return await self._store.read(identity.tenant(tenant_id))

    async def page(self, after: str, size: int) -> list[Tenant]:
        return await self._store.read(identity.tenants(after, size))

    async def update(
        self,
        tenant_id: TenantId,
        *,
        name: str | None,
        weight: int | None,
        priority_ceiling: int | None,
        rates: Mapping[str, int | None],
    ) -> Tenant:
        """Rates are calls per minute by kind of operation, None for the service's own; they hold at once."""
        changes = identity.update_tenant(
            tenant_id, name=name, weight=weight, priority_ceiling=priority_ceiling, rates=rates
        )
        changed = await self._store.write(changes)
        self._forget()
        return changed

    async def suspend(self, tenant_id: TenantId) -> Tenant:
        """None of its keys is let in and none of its waiting tasks is granted; what a node has already goes on."""
        suspended = await self._store.write(identity.suspend_tenant(tenant_id, self._clock.now_ms()))
        self._forget()
        return suspended

    async def resume(self, tenant_id: TenantId) -> Tenant:
        resumed = await self._store.write(identity.resume_tenant(tenant_id))
        self._forget()
        self._wake()
        return resumed

    async def create_key(
        self, tenant_id: TenantId | None, user_id: UserId, label: str, seconds: float | None
    ) -> tuple[ApiKey, str]:
        """A key for a user, and its text: this is the only time that it is shown."""
        await self._check_user(tenant_id, user_id)
        return await self._add_key(user_id, tenant_id, label, seconds)

    async def create_access_key(
        self, tenant_id: TenantId | None, user_id: UserId, label: str, seconds: float | None
    ) -> tuple[ApiKey, str]:
        """A key that a vendor's client signs with, and its secret: this is the only time that it is shown."""
        if tenant_id is None:
            raise InvalidField("Operators' requests are not signed: the dialects are tenants'.", pointer="/kind")
        await self._check_user(tenant_id, user_id)
        assert self._seal is not None, "only a whole service makes keys that sign"
        now, key = self._clock.now_ms(), access_keys.make()
        adding = identity.add_key(
            key.id,
            user_id=user_id,
            tenant_id=tenant_id,
            label=label,
            sealed_secret=access_keys.sealed(self._seal, key),
            expires_at=_end(now, seconds),
            now=now,
        )
        return await self._store.write(adding), key.secret

    async def create_first_key(self, tenant_id: TenantId, label: str, seconds: float | None) -> tuple[ApiKey, str]:
        """A key for a tenant's first admin: how an operator lets a tenant in."""
        user_id = await self.first_admin(tenant_id)
        return await self._add_key(user_id, tenant_id, label, seconds)

    async def first_admin(self, tenant_id: TenantId) -> UserId:
        return await self._store.read(identity.first_admin(tenant_id))

    async def create_operator(self, label: str) -> str:
        """A new operator with a key of their own; the key's text."""
        now = self._clock.now_ms()
        user_id = UserId(prefixed_id("us", now))
        await self._store.write(identity.add_operator(user_id, now))
        _, text = await self._add_key(user_id, None, label, None)
        return text

    async def key(self, tenant_id: TenantId | None, key_id: KeyId) -> ApiKey:
        return await self._store.read(identity.key(tenant_id, key_id))

    async def keys(self, tenant_id: TenantId | None, user_id: UserId | None, after: str, size: int) -> list[ApiKey]:
        """Of a tenant or of the operators: all, or those of one user."""
        return await self._store.read(identity.keys(tenant_id, user_id, after, size))

    async def revoke_key(self, tenant_id: TenantId | None, key_id: KeyId) -> None:
        await self._store.write(identity.revoke_key(tenant_id, key_id, self._clock.now_ms()))
        self._forget()

    async def _check_user(self, tenant_id: TenantId | None, user_id: UserId) -> None:
        try:
            await self._store.read(identity.user(tenant_id, user_id))
        except NotFound as error:
            raise InvalidField(f"There is no user {user_id!r}.", pointer="/user_id") from error

    async def _add_key(
        self, user_id: UserId, tenant_id: TenantId | None, label: str, seconds: float | None
    ) -> tuple[ApiKey, str]:
        now = self._clock.now_ms()
        key_id = KeyId(prefixed_id("", now).removeprefix("_"))
        credential = credentials.make(credentials.API_KEY, key_id)
        made = await self._store.write(
            identity.add_key(
                key_id,
                user_id=user_id,
                tenant_id=tenant_id,
                label=label,
                secret_hash=credential.secret_hash,
                expires_at=_end(now, seconds),
                now=now,
            )
        )
        return made, credential.text


def _end(now: int, seconds: float | None) -> int | None:
    return None if seconds is None else now + int(seconds * 1000)
