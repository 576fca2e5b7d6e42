"""From an `Authorization: Bearer` header to a Principal or a node."""

from __future__ import annotations

from controlplane.auth import credentials
from controlplane.auth.principal import Principal, Role
from controlplane.store.operations import dispatch, identity
from controlplane.store.port import Store
from controlplane.store.records import Node
from shared.clock import Clock
from shared.errors import NotFound, Unauthenticated
from shared.ids import KeyId, NodeId
from shared.statuses import NodeState

_UNKNOWN = "The credential is unknown, revoked or expired."


class Bearers:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def principal(self, header: str | None) -> Principal:
        """Raises Unauthenticated; the same way whether a key is unknown, revoked, expired or wrong."""
        credential = credentials.parse(_token(header), credentials.API_KEY)
        holder = await self._store.read(identity.key_holder(KeyId(credential.id)))
        if holder is None or not credentials.matches(credential, holder.secret_hash):
            raise Unauthenticated(_UNKNOWN)
        expired = holder.expires_at is not None and holder.expires_at <= self._clock.now_ms()
        if expired or holder.revoked_at is not None:
            raise Unauthenticated(_UNKNOWN)
        return Principal(holder.user_id, Role(holder.role), holder.tenant_id)

    async def node(self, header: str | None) -> Node:
        """Raises Unauthenticated, also for a revoked node: its agent must stop."""
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
