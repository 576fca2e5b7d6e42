"""Topics: names that tenants' pipelines tell, and the endpoints that operators put behind them.

An endpoint hears nothing until it has confirmed that it wants to: by visiting the address that it is sent, or by an
operator's word.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from itsdangerous import BadData, URLSafeSerializer

from controlplane.auth.content_keys import Seal
from controlplane.auth.topics import TopicKey
from controlplane.domain.addresses import Network, target
from controlplane.domain.notifications import (
    CONFIRMATION,
    TOLD_TO_TOPICS,
    DeliveryState,
    EndpointKind,
    EndpointStatus,
)
from controlplane.store.operations import endpoints, identity, outbox
from controlplane.store.port import Op, Store
from controlplane.store.records import Delivery, Endpoint
from shared.clock import Clock, to_datetime
from shared.errors import InvalidField, LinkRefused, NotFound, WrongState
from shared.ids import EndpointId, MessageId, TenantId, prefixed_id

KIND: Final = EndpointKind.TOPIC
CONFIRM_WITHIN_MS: Final = 3 * 86_400_000
UNSUBSCRIBED: Final = "Its endpoint has unsubscribed."
_META: Final = "topic_key"


class TopicKeys:
    """The key that messages to topics are signed with: made when it is first needed, and the same for all replicas."""

    def __init__(self, store: Store, clock: Clock, seal: Seal) -> None:
        self._store = store
        self._clock = clock
        self._seal = seal
        self._known: TopicKey | None = None

    async def get(self) -> TopicKey:
        if self._known is None:
            kept = await self._store.read(identity.meta(_META))
            if kept is None:
                made = await asyncio.to_thread(TopicKey.make, to_datetime(self._clock.now_ms()))
                sealed = self._seal.close(_META, made.private()).hex()
                text = orjson.dumps({"key": sealed, "certificate": made.certificate.decode()}).decode()
                kept = await self._store.write(identity.keep_meta(_META, text))
            read = orjson.loads(kept)
            private = self._seal.open(_META, bytes.fromhex(read["key"]))
            self._known = await asyncio.to_thread(TopicKey.read, private, read["certificate"].encode())
        return self._known


class Tickets:
    """What an endpoint shows to confirm, or to leave: signed by this service, and stored nowhere."""

    def __init__(self, secret: bytes) -> None:
        self._confirm = URLSafeSerializer(secret, salt="topic-confirm")
        self._leave = URLSafeSerializer(secret, salt="topic-leave")

    def to_confirm(self, endpoint: Endpoint) -> str:
        return str(self._confirm.dumps([endpoint.id, endpoint.asked_at]))

    def to_leave(self, endpoint: Endpoint) -> str:
        return str(self._leave.dumps(endpoint.id))

    def confirming(self, text: str) -> tuple[EndpointId, int]:
        """Raises LinkRefused."""
        endpoint_id, asked_at = _loaded(self._confirm, text)
        return EndpointId(endpoint_id), int(asked_at)

    def leaving(self, text: str) -> EndpointId:
        """Raises LinkRefused."""
        return EndpointId(_loaded(self._leave, text))


class Topics:
    def __init__(
        self, store: Store, clock: Clock, tickets: Tickets, allowed: Sequence[Network], wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._tickets = tickets
        self._allowed = allowed
        self._wake = wake

    async def create(self, arn: str, url: str, tenant_id: TenantId | None, base_url: str) -> Endpoint:
        """By default of the account that the ARN names. `base_url` is where the endpoint reaches this service.

        Raises InvalidField for an address that nothing may be sent to, or without a tenant of that number.
        """
        target(url, self._allowed)
        now = self._clock.now_ms()
        new = Endpoint(
            id=EndpointId(prefixed_id("tp", now)),
            tenant_id=tenant_id or TenantId(arn.split(":")[4]),
            kind=KIND,
            arn=arn,
            url=url,
            description="",
            types=orjson.dumps(TOLD_TO_TOPICS).decode(),
            secrets="[]",
            base_url=base_url,
            status=EndpointStatus.PENDING,
            reason=None,
            asked_at=now,
            created_at=now,
        )
        try:
            added = await self._store.write(_added(new, now))
        except NotFound as error:
            raise InvalidField(f"There is no tenant {new.tenant_id}.", pointer="/tenant_id") from error
        self._wake()
        return added

    async def get(self, topic_id: EndpointId) -> Endpoint:
        return await self._store.read(endpoints.read(KIND, None, topic_id))

    async def page(self, after: str, size: int) -> list[Endpoint]:
        return await self._store.read(endpoints.topics(after, size))

    async def delete(self, topic_id: EndpointId) -> None:
        await self._store.write(endpoints.delete(KIND, None, topic_id))

    async def unmapped(self, tenant_id: TenantId, arns: Iterable[str]) -> list[str]:
        """Those of these topics behind which there is nothing: what is told to them reaches nobody."""
        named = dict.fromkeys(arns)
        known = await self._store.read(endpoints.known_topics(tenant_id)) if named else frozenset()
        return [arn for arn in named if arn not in known]

    async def confirm(self, topic_id: EndpointId) -> Endpoint:
        """An operator's word. Again on one that hears changes nothing."""
        return await self._write(topic_id, lambda known: replace(known, status=EndpointStatus.ACTIVE, reason=None))

    async def ask(self, topic_id: EndpointId) -> Endpoint:
        """Asks the endpoint once more whether it wants to hear; what it was sent before is worth nothing from now on."""
        now = self._clock.now_ms()

        def asked(known: Endpoint) -> Endpoint:
            if known.status is EndpointStatus.ACTIVE:
                raise WrongState("This endpoint has confirmed.")
            return replace(known, status=EndpointStatus.PENDING, reason=None, asked_at=max(now, known.asked_at + 1))

        topic = await self._store.write(_asked(topic_id, asked, now))
        self._wake()
        return topic

    async def confirmed(self, ticket: str) -> Endpoint:
        """By the endpoint itself. Raises LinkRefused for what this service did not send it, or too long ago."""
        topic_id, asked_at = self._tickets.confirming(ticket)
        now = self._clock.now_ms()

        def confirmed(known: Endpoint) -> Endpoint:
            if known.asked_at != asked_at or now - asked_at > CONFIRM_WITHIN_MS:
                raise LinkRefused("This confirmation is too old; an operator can ask for a new one.")
            if known.status is EndpointStatus.DISABLED:
                raise LinkRefused("This endpoint has been disabled; an operator can ask it again.")
            return replace(known, status=EndpointStatus.ACTIVE)

        return await self._visit(topic_id, confirmed)

    async def left(self, ticket: str) -> Endpoint:
        """By the endpoint itself. Raises LinkRefused."""
        return await self._visit(
            self._tickets.leaving(ticket),
            lambda known: replace(known, status=EndpointStatus.DISABLED, reason=UNSUBSCRIBED),
        )

    async def deliveries(
        self, topic_id: EndpointId, state: DeliveryState | None, before: int, size: int
    ) -> list[Delivery]:
        await self.get(topic_id)
        return await self._store.read(outbox.deliveries(topic_id, state, before, size))

    async def redeliver(self, topic_id: EndpointId, message_id: MessageId) -> Delivery:
        await self.get(topic_id)
        again = await self._store.write(outbox.redeliver(topic_id, message_id, self._clock.now_ms()))
        self._wake()
        return again

    async def _visit(self, topic_id: EndpointId, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        try:
            return await self._write(topic_id, change)
        except NotFound as error:
            raise LinkRefused("This topic has no such endpoint any more.") from error

    async def _write(self, topic_id: EndpointId, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        changed = await self._store.write(endpoints.update(KIND, None, topic_id, change))
        self._wake()
        return changed


def subscription_arn(endpoint: Endpoint) -> str:
    return f"{endpoint.arn}:{uuid.UUID(endpoint.id.rpartition('_')[2])}"


def _added(new: Endpoint, now: int) -> Op[Endpoint]:
    added = yield from endpoints.add(new)
    yield from outbox.add(added, CONFIRMATION, now)
    return added


def _asked(topic_id: EndpointId, change: Callable[[Endpoint], Endpoint], now: int) -> Op[Endpoint]:
    asked = yield from endpoints.update(KIND, None, topic_id, change)
    yield from outbox.add(asked, CONFIRMATION, now)
    return asked


def _loaded(serializer: URLSafeSerializer, text: str) -> Any:
    try:
        return serializer.loads(text)
    except BadData as error:
        raise LinkRefused("This link is not one of ours.") from error
