"""Clusters, and the nodes in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from controlplane.auth import credentials
from controlplane.services.dispatch import Dispatcher
from controlplane.services.publishing import Publisher
from controlplane.services.signals import Signals
from controlplane.services.waiting import Reasons
from controlplane.store.operations import dispatch, identity, resources, trust
from controlplane.store.port import Store
from controlplane.store.records import Cluster, Event, Node, NodeAtWork
from shared.capacity import NodeFacts
from shared.clock import Clock
from shared.errors import ErrorCode, TranscoderError
from shared.ids import ClusterId, NodeId, prefixed_id
from shared.join_token import JoinToken, fingerprint
from shared.protocol import (
    OLDEST_PROTOCOL,
    PROTOCOL_VERSION,
    CheckAnswer,
    CheckRequest,
    EnrolAnswer,
    EnrolRequest,
    HelloAnswer,
    HelloRequest,
)
from shared.statuses import ClusterStatus, NodeState


class Clusters:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signals: Signals,
        dispatcher: Dispatcher,
        publisher: Publisher,
        reasons: Reasons,
        forget_bearers: Callable[[], None],
        authority: bytes | None = None,
    ) -> None:
        self.authority = authority
        """The certificate by which new nodes know this service (PEM); None where their systems trust it already."""
        self._store = store
        self._clock = clock
        self._signals = signals
        self._dispatcher = dispatcher
        self._publisher = publisher
        self._reasons = reasons
        self._forget_bearers = forget_bearers

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
        self._forget_bearers()
        self._reasons.forget()
        await self._publisher.discard(lost)
        return answer

    async def check(self, node_id: NodeId, request: CheckRequest, link: str, link_size: int) -> CheckAnswer:
        """What the owner of a node is told of it; nothing of the agent's is touched."""
        speak_the_same(request.protocol)
        node = await self.node(node_id)
        facts = NodeFacts.model_validate_json(node.facts) if node.facts else None
        return CheckAnswer(
            server_time_ms=self._clock.now_ms(),
            node_id=node.id,
            cluster_id=node.cluster_id,
            state=node.shown_state,
            running=node.running,
            labels={**(facts.labels if facts else {}), **orjson.loads(node.labels)},
            link=link,
            link_size=link_size,
        )

    async def nodes(self, cluster_id: ClusterId | None, after: str, size: int) -> list[NodeAtWork]:
        return await self._store.read(identity.nodes(cluster_id, after, size))

    async def node(self, node_id: NodeId) -> NodeAtWork:
        return await self._store.read(identity.node_at_work(node_id))

    async def node_history(self, node_id: NodeId, after: int) -> list[Event]:
        await self.node(node_id)
        return await self._store.read(trust.events(node_id, after, 1000))

    async def drain(self, node_id: NodeId) -> NodeAtWork:
        """No new work; what runs goes on."""
        await self._store.write(identity.set_node_state(node_id, NodeState.DRAINING))
        return await self._changed(node_id)

    async def resume(self, node_id: NodeId) -> NodeAtWork:
        """Work again, as far as the node is trusted."""
        await self._store.write(identity.set_node_state(node_id, NodeState.ACTIVE))
        return await self._changed(node_id)

    async def vouch_for(self, node_id: NodeId) -> NodeAtWork:
        """Work again, also for a node that was set aside or found to be cloned: an operator has looked after it."""
        await self._store.write(trust.vouched_for(node_id, self._clock.now_ms()))
        return await self._changed(node_id)

    async def reprobe(self, node_id: NodeId) -> NodeAtWork:
        """The node gets no new work until it has found out anew what it can do."""
        await self._store.write(identity.ask_to_reprobe(node_id, self._clock.now_ms()))
        return await self._changed(node_id)

    async def describe(self, node_id: NodeId, name: str | None, labels: Mapping[str, str | None]) -> NodeAtWork:
        """A new name, and labels that are put on or, where they are None, taken off."""
        await self._store.write(identity.describe_node(node_id, name=name, labels=labels))
        return await self._changed(node_id)

    async def revoke(self, node_id: NodeId) -> None:
        """Its credential is refused from now on, and its work handed to others."""
        lost = await self._store.write(dispatch.revoke(node_id, self._clock.now_ms()))
        for ended in lost:
            self._signals.changed(ended.job_id)
        await self._changed(node_id)
        await self._publisher.discard(lost)

    async def pause(self, cluster_id: ClusterId) -> Cluster:
        """Nothing new starts in it; what runs goes on."""
        return await self._set_status(cluster_id, ClusterStatus.PAUSED)

    async def unpause(self, cluster_id: ClusterId) -> Cluster:
        return await self._set_status(cluster_id, ClusterStatus.ACTIVE)

    async def _set_status(self, cluster_id: ClusterId, status: ClusterStatus) -> Cluster:
        cluster = await self._store.write(resources.set_cluster_status(cluster_id, status))
        self._reasons.forget()
        self._dispatcher.wake()
        return cluster

    async def _changed(self, node_id: NodeId) -> NodeAtWork:
        """The node as it is now; its poll is answered, so that it hears of it."""
        self._forget_bearers()
        self._reasons.forget()
        self._dispatcher.interrupt(node_id)
        self._dispatcher.wake()
        return await self.node(node_id)


def speak_the_same(protocol: int) -> None:
    """Raises `protocol_too_old` for agents of another age, and tells which of the two is the older."""
    if OLDEST_PROTOCOL <= protocol <= PROTOCOL_VERSION:
        return
    behind = "agent" if protocol < OLDEST_PROTOCOL else "control plane"
    detail = (
        f"This control plane speaks protocols {OLDEST_PROTOCOL} to {PROTOCOL_VERSION}, the agent {protocol}: "
        f"update the {behind}."
    )
    raise TranscoderError.of(ErrorCode.PROTOCOL_TOO_OLD, detail)
