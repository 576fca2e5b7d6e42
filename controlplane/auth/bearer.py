"""From an `Authorization: Bearer` header to a Principal or a node."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from controlplane.auth import credentials
from controlplane.auth.principal import Principal, statements
from controlplane.auth.throttling import Throttle
from controlplane.domain.permissions import Role
from controlplane.domain.throttle import Operation, pace, paces
from controlplane.store.operations import dispatch, identity
from controlplane.store.port import Store
from controlplane.store.records import KeyHolder, Node
from shared.clock import Clock
from shared.errors import NotFound, Throttled, Unauthenticated
from shared.ids import KeyId, NodeId
from shared.statuses import NodeState

T = TypeVar("T")
KNOWN_SECONDS: Final = 1.0
MOST_KNOWN: Final = 10_000
_UNKNOWN: Final = "The credential is unknown, revoked or expired."


class _Known(NamedTuple):
    principal: Principal
    until: float  # on the monotonic clock
    expires_at: int | None


class _KnownNode(NamedTuple):
    node: Node
    until: float


class Bearers:
    def __init__(self, store: Store, clock: Clock, rates: Mapping[Operation, int], failures_per_minute: int) -> None:
        """`rates` are calls per minute, where a tenant has none of its own."""
        self._store = store
        self._clock = clock
        self._rates = rates
        self._failures = Throttle(clock)
        self._failure_pace = pace(failures_per_minute)
        self._known: dict[str, _Known] = {}
        self._known_nodes: dict[str, _KnownNode] = {}

    async def principal(self, header: str | None, address: Callable[[], str]) -> Principal:
        """Raises Unauthenticated; the same way whether a key is unknown, revoked, expired or wrong.

        Who was let in is remembered for a second: busy callers send the same key a thousand times in it. An address from
        which too many are refused is asked to wait, with Throttled, before anything is looked up; not so those who were let
        in before.
        """
        remembered = self._known  # what is looked up while everybody is forgotten may be out of date: it is not kept
        known = remembered.get(header or "")
        if known is not None and known.until > self._clock.monotonic() and not self._is_over(known.expires_at):
            return known.principal
        try:
            holder = await self.guessed(address, self._holder(header), is_known=known is not None)
        except Unauthenticated:
            remembered.pop(header or "", None)
            raise
        principal = self.principal_of(holder)
        if len(remembered) >= MOST_KNOWN:
            remembered.clear()
        until = self._clock.monotonic() + KNOWN_SECONDS
        remembered[header or ""] = _Known(principal, until, holder.expires_at)
        return principal

    def forget(self) -> None:
        """Somebody may do less, or more, from now on: everybody is asked anew."""
        self._known = {}
        self._known_nodes = {}

    def principal_of(self, holder: KeyHolder) -> Principal:
        own = orjson.loads(holder.rates) if holder.rates else {}
        rates = {operation: own.get(operation, default) for operation, default in self._rates.items()}
        is_suspended = holder.suspended_at is not None
        return Principal(
            holder.user_id,
            Role(holder.role),
            holder.tenant_id,
            paces(rates),
            is_suspended,
            statements(holder.permissions),
        )

    def _check_address(self, address: str) -> None:
        wait = self._failures.look(address, self._failure_pace).wait
        if wait:
            raise Throttled("Too many wrong credentials came from this address.", retry_after=wait)

    async def _holder(self, header: str | None) -> KeyHolder:
        credential = credentials.parse(_token(header), credentials.API_KEY)
        holder = await self._store.read(identity.key_holder(KeyId(credential.id)))
        if holder is None or not credentials.matches(credential, holder.secret_hash or ""):
            raise Unauthenticated(_UNKNOWN)
        if self._is_over(holder.expires_at) or holder.revoked_at is not None:
            raise Unauthenticated(_UNKNOWN)
        return holder

    def _is_over(self, expires_at: int | None) -> bool:
        return expires_at is not None and expires_at <= self._clock.now_ms()

    async def node(self, header: str | None, address: Callable[[], str]) -> Node:
        """Raises Unauthenticated, also for a revoked node: its agent must stop.

        Remembered for a second, and refused to guessers, as principals are. What a node may be given is looked up when it is.
        """
        remembered = self._known_nodes
        known = remembered.get(header or "")
        if known is not None and known.until > self._clock.monotonic():
            return known.node
        try:
            node = await self.guessed(address, self._node(header), is_known=known is not None)
        except Unauthenticated:
            remembered.pop(header or "", None)
            raise
        if len(remembered) >= MOST_KNOWN:
            remembered.clear()
        remembered[header or ""] = _KnownNode(node, self._clock.monotonic() + KNOWN_SECONDS)
        return node

    async def guessed(self, address: Callable[[], str], look: Coroutine[Any, Any, T], *, is_known: bool = False) -> T:
        """A look that tells whether a credential is good. Raises Throttled for an address that was wrong too often."""
        if not is_known:
            try:
                self._check_address(address())
            except Throttled:
                look.close()
                raise
        try:
            return await look
        except Unauthenticated:
            self.count_wrong(address)
            raise

    def count_wrong(self, address: Callable[[], str]) -> None:
        """One more wrong credential from there."""
        self._failures.take(address(), self._failure_pace)

    async def _node(self, header: str | None) -> Node:
        credential = credentials.parse(_token(header), credentials.NODE_CREDENTIAL)
        try:
            node = await self._store.read(dispatch.node(NodeId(f"nd_{credential.id}")))
        except NotFound as error:
            raise Unauthenticated(_UNKNOWN) from error
        if not credentials.matches(credential, node.credential_hash) or node.state is NodeState.REVOKED:
            raise Unauthenticated(_UNKNOWN)
        return node


def _token(header: str | None) -> str:
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send `Authorization: Bearer <key>`.")
    return token.strip()
