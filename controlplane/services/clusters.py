"""Clusters, and the nodes in them."""

from __future__ import annotations

import orjson

from controlplane.auth import credentials
from controlplane.services.dispatch import Dispatcher
from controlplane.services.publishing import Publisher
from controlplane.store.operations import dispatch, identity, resources
from controlplane.store.port import Store
from controlplane.store.records import Cluster, Node
from shared.clock import Clock
from shared.errors import ErrorCode, TranscoderError
from shared.ids import ClusterId, NodeId, prefixed_id
from shared.join_token import JoinToken, fingerprint
from shared.protocol import (
    PROTOCOL_VERSION,
    EnrolAnswer,
    EnrolRequest,
    HelloAnswer,
    HelloRequest,
)
from shared.statuses import NodeState


class Clusters:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        dispatcher: Dispatcher,
        publisher: Publisher,
        authority: bytes | None = None,
    ) -> None:
        self.authority = authority
        """The certificate by which new nodes know this service (PEM); None where their systems trust it already."""
        self._store = store
        self._clock = clock
        self._dispatcher = dispatcher
        self._publisher = publisher

    async def create(self, cluster_id: ClusterId, name: str) -> Cluster:
        return await self._store.write(resources.add_cluster(cluster_id, name, self._clock.now_ms()))

    async def get(self, cluster_id: ClusterId) -> Cluster:
        return await self._store.read(resources.cluster(cluster_id))

    async def page(self, after: str, size: int) -> list[Cluster]:
        return await self._store.read(resources.clusters(after, size))

    async def rename(self, cluster_id: ClusterId, name: str) -> Cluster:
        return await self._store.write(resources.rename_cluster(cluster_id, name))

    async def delete(self, cluster_id: ClusterId) -> None:
        await self._store.write(resources.delete_cluster(cluster_id, self._clock.now_ms()))

    async def join_token(self, cluster_id: ClusterId, labels: dict[str, str], seconds: float) -> tuple[str, int]:
        """A one-time token and when it ends (Unix milliseconds). It is shown now and never again."""
        now = self._clock.now_ms()
        token = credentials.make(credentials.JOIN_TOKEN, prefixed_id("", now).removeprefix("_"))
        expires_at = now + int(seconds * 1000)
        kept = orjson.dumps(labels, option=orjson.OPT_SORT_KEYS).decode()
        await self._store.write(
            identity.add_join_token(token.secret_hash, cluster_id, kept, now=now, expires_at=expires_at)
        )
        trusted = fingerprint(self.authority) if self.authority else None
        return JoinToken(token.text, trusted).text, expires_at

    async def enrol(self, request: EnrolRequest) -> EnrolAnswer:
        """Raises Unauthenticated for a token that is unknown, spent or too old."""
        speak_the_same(request.protocol)
        token = credentials.parse(JoinToken.parse(request.join_token).secret, credentials.JOIN_TOKEN)
        now = self._clock.now_ms()
        node_id = NodeId(prefixed_id("nd", now))
        credential = credentials.make(credentials.NODE_CREDENTIAL, node_id.removeprefix("nd_"))
        name = "".join(filter(str.isprintable, request.hostname))[:253]
        cluster_id = await self._store.write(
            identity.enrol(token.secret_hash, node_id, name, credential.secret_hash, now)
        )
        return EnrolAnswer(node_id=node_id, credential=credential.text, cluster_id=cluster_id)

    async def hello(self, node: Node, request: HelloRequest) -> HelloAnswer:
        speak_the_same(request.protocol)
        answer, lost = await self._dispatcher.hello(node, request)
        await self._publisher.discard(lost)
        return answer

    async def nodes(self, cluster_id: ClusterId | None, after: str, size: int) -> list[Node]:
        return await self._store.read(identity.nodes(cluster_id, after, size))

    async def node(self, node_id: NodeId) -> Node:
        return await self._store.read(dispatch.node(node_id))

    async def set_node_state(self, node_id: NodeId, state: NodeState) -> Node:
        """Draining: no new work. Revoked: its credential is refused from now on; its leases run out."""
        node = await self._store.write(identity.set_node_state(node_id, state))
        self._dispatcher.interrupt(node_id)
        self._dispatcher.wake()
        return node


def speak_the_same(protocol: int) -> None:
    """Raises `protocol_too_old` for agents of another age."""
    if protocol != PROTOCOL_VERSION:
        detail = f"This control plane speaks protocol {PROTOCOL_VERSION}; the agent speaks {protocol}."
        raise TranscoderError.of(ErrorCode.PROTOCOL_TOO_OLD, detail)
