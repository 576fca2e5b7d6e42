"""Webhooks: a tenant's own addresses that are told of what happens to its jobs, as Standard Webhooks says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from controlplane.auth import webhooks as signing
from controlplane.domain.addresses import Network, target
from controlplane.domain.notifications import (
    TEST,
    DeliveryState,
    EndpointKind,
    EndpointStatus,
    Happening,
)
from controlplane.services.webhook_messages import Secrets
from controlplane.store.operations import endpoints, outbox
from controlplane.store.port import Store
from controlplane.store.records import Delivery, Endpoint
from shared.clock import Clock
from shared.errors import WrongState
from shared.ids import EndpointId, MessageId, TenantId, prefixed_id

KIND: Final = EndpointKind.WEBHOOK


class Webhooks:
    def __init__(
        self, store: Store, clock: Clock, secrets: Secrets, allowed: Sequence[Network], wake: Callable[[], None]
    ) -> None:
        """`wake` is called when something is to be sent."""
        self._store = store
        self._clock = clock
        self._secrets = secrets
        self._allowed = allowed
        self._wake = wake

    async def create(
        self, tenant_id: TenantId, *, url: str, types: Sequence[Happening], description: str
    ) -> tuple[Endpoint, str]:
        """And its secret, which is never shown again. Raises InvalidField for an address that nothing may be sent to."""
        target(url, self._allowed)
        now = self._clock.now_ms()
        endpoint_id, secret = EndpointId(prefixed_id("we", now)), signing.new_secret()
        new = Endpoint(
            id=endpoint_id,
            tenant_id=tenant_id,
            kind=KIND,
            arn=None,
            url=url,
            description=description,
            types=_text(types),
            secrets=self._secrets.first(endpoint_id, secret),
            base_url="",
            status=EndpointStatus.ACTIVE,
            reason=None,
            asked_at=now,
            created_at=now,
        )
        return await self._store.write(endpoints.add(new)), signing.shown(secret)

    async def get(self, tenant_id: TenantId, webhook_id: EndpointId) -> Endpoint:
        return await self._store.read(endpoints.read(KIND, tenant_id, webhook_id))

    async def page(self, tenant_id: TenantId, after: str, size: int) -> list[Endpoint]:
        return await self._store.read(endpoints.webhooks(tenant_id, after, size))

    async def update(
        self,
        tenant_id: TenantId,
        webhook_id: EndpointId,
        *,
        url: str | None,
        types: Sequence[Happening] | None,
        description: str | None,
        is_active: bool | None,
    ) -> Endpoint:
        """What is None stays. One that is made active again gets what waits for it."""
        if url is not None:
            target(url, self._allowed)

        def changed(before: Endpoint) -> Endpoint:
            after = replace(
                before,
                url=before.url if url is None else url,
                types=before.types if types is None else _text(types),
                description=before.description if description is None else description,
            )
            if is_active is None:
                return after
            return replace(after, status=EndpointStatus.ACTIVE if is_active else EndpointStatus.DISABLED, reason=None)

        after = await self._store.write(endpoints.update(KIND, tenant_id, webhook_id, changed))
        self._wake()
        return after

    async def delete(self, tenant_id: TenantId, webhook_id: EndpointId) -> None:
        await self._store.write(endpoints.delete(KIND, tenant_id, webhook_id))

    async def rotate(self, tenant_id: TenantId, webhook_id: EndpointId, *, keep_for: float) -> tuple[Endpoint, str]:
        """A new secret, never shown again. For so many seconds messages are signed with the old one as well."""
        now, secret = self._clock.now_ms(), signing.new_secret()
        until = now + int(keep_for * 1000)

        def changed(before: Endpoint) -> Endpoint:
            return replace(before, secrets=self._secrets.replaced(before, secret, until=until, now=now))

        return await self._store.write(endpoints.update(KIND, tenant_id, webhook_id, changed)), signing.shown(secret)

    async def test(self, tenant_id: TenantId, webhook_id: EndpointId) -> Delivery:
        """A message without news. Raises WrongState for a webhook to which nothing is sent."""
        webhook = await self.get(tenant_id, webhook_id)
        if webhook.status is EndpointStatus.DISABLED:
            raise WrongState("This webhook is disabled.")
        made = await self._store.write(outbox.add(webhook, TEST, self._clock.now_ms()))
        self._wake()
        return made

    async def deliveries(
        self, tenant_id: TenantId, webhook_id: EndpointId, state: DeliveryState | None, before: int, size: int
    ) -> list[Delivery]:
        """Newest first."""
        await self.get(tenant_id, webhook_id)
        return await self._store.read(outbox.deliveries(webhook_id, state, before, size))

    async def delivery(self, tenant_id: TenantId, webhook_id: EndpointId, message_id: MessageId) -> Delivery:
        await self.get(tenant_id, webhook_id)
        return await self._store.read(outbox.delivery(webhook_id, message_id))

    async def redeliver(self, tenant_id: TenantId, webhook_id: EndpointId, message_id: MessageId) -> Delivery:
        await self.get(tenant_id, webhook_id)
        again = await self._store.write(outbox.redeliver(webhook_id, message_id, self._clock.now_ms()))
        self._wake()
        return again


def _text(values: Sequence[Any]) -> str:
    return orjson.dumps(list(values)).decode()
