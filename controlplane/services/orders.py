"""What nodes are told to do, in the words of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog

from controlplane.domain.content_keys import cipher
from controlplane.domain.sources import Source
from controlplane.services.content_keys import ContentKeys
from controlplane.services.files import JobFiles
from controlplane.services.payloads import Payload, Payloads
from controlplane.services.presets import UNREADABLE, UNREADABLE_JOB
from controlplane.services.signals import Signals
from controlplane.storage.files import FileBucket
from controlplane.storage.links import Links
from controlplane.store.operations import ending, granting
from controlplane.store.port import Store
from controlplane.store.records import Node
from shared.clock import Clock
from shared.ids import TenantId
from shared.jobspec.encryption import may_hold_keys
from shared.protocol import Drain, InputSpec, Order, PollRequest, Reprobe, Resume, StartTask, TranscodeFile
from shared.statuses import NodeState

log = structlog.get_logger()

LINK_SECONDS: Final = 24 * 3600.0
"""Of an attempt's links; what they allow is fenced by the lease, not by their age."""


class Orders:
    def __init__(
        self, store: Store, clock: Clock, signals: Signals, links: Links, content_keys: ContentKeys, payloads: Payloads
    ) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._links = links
        self._content_keys = content_keys
        self._payloads = payloads

    def knows(self, grants: Iterable[granting.Grant]) -> bool:
        """Whether the orders to start them can be made without the database."""
        return all(self._payloads.knows(grant.ref.task_id) for grant in grants)

    async def to_start(self, grants: Sequence[granting.Grant]) -> list[Order]:
        """One job that cannot be read any more, after an upgrade, fails and holds up no other."""
        orders: list[Order] = []
        for grant in grants:
            try:
                orders.append(self._start_order(grant, await self._payloads.of(grant.ref.task_id)))
            except UNREADABLE as error:
                log.error("order.unreadable", task_id=grant.ref.task_id, job_id=grant.job_id, error=str(error))
                await self._store.write(ending.give_up(grant.ref.task_id, UNREADABLE_JOB, self._clock.now_ms()))
                self._signals.changed(grant.job_id)
        return orders

    def _start_order(self, grant: granting.Grant, payload: Payload) -> StartTask:
        files = payload.files
        return StartTask(
            ref=grant.ref,
            job_id=grant.job_id,
            inputs=tuple(self.input(index, source, files) for index, source in enumerate(payload.sources)),
            payload=self._with_keys(files.tenant_id, payload),
            nvenc_sessions=grant.granted.nvenc_sessions,
            cpu_threads=grant.granted.cpu_threads,
            scratch=grant.granted.scratch,
            memory=grant.granted.memory,
            pixel_rate=grant.granted.pixel_rate,
        )

    def _with_keys(self, tenant_id: TenantId, payload: Payload) -> TranscodeFile:
        work = payload.work
        return self._content_keys.told(tenant_id, work) if may_hold_keys(payload.kept.document) else work

    def input(self, index: int, source: Source, files: JobFiles) -> InputSpec:
        """Where an input lies, for as long as the attempt may last."""
        found = FileBucket(Path(files.input_root)).stat(source.key)
        spec = InputSpec(
            index=index,
            url=self._links.sign("get", files.tenant_id, files.input_bucket, source.key, seconds=LINK_SECONDS),
            size=found.size if found else 0,
            sha256=source.sha256,
            is_input=source.is_input,
            encryption=cipher(source.encryption),
        )
        return self._content_keys.told(files.tenant_id, spec) if source.encryption else spec


def orders_to_be(node: Node, asked: PollRequest) -> list[Order]:
    """What brings a node from what it knows to what it is to be."""
    orders: list[Order] = []
    is_to_drain = node.state is NodeState.DRAINING
    if asked.draining is not None and asked.draining is not is_to_drain:
        orders.append(Drain() if is_to_drain else Resume())
    if node.reprobe_asked_at is not None and not asked.reprobing:
        orders.append(Reprobe())
    return orders
