"""Tenants' quotas and usage; what nodes tell of inputs, as far as quotas ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from controlplane.domain.quota import Drift, Line, Quota, month_of
from controlplane.services.dispatch import Dispatcher
from controlplane.services.signals import Signals
from controlplane.store.operations import dispatch, identity, quotas
from controlplane.store.port import Store
from controlplane.store.records import Node, Usage
from shared.clock import Clock
from shared.ids import TenantId
from shared.protocol import ProbedAnswer, ProbedRequest
from shared.statuses import TaskState

log = structlog.get_logger()

_PAGE = 200


@dataclass(frozen=True)
class Account:
    """A tenant's quotas, with what is used of them this month, in UTC."""

    month: str
    lines: Sequence[Line]


class Quotas:
    def __init__(self, store: Store, clock: Clock, signals: Signals, dispatcher: Dispatcher) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._dispatcher = dispatcher

    async def read(self, tenant_id: TenantId) -> Account:
        now = self._clock.now_ms()
        return Account(month_of(now), await self._store.read(quotas.read(tenant_id, now)))

    async def change(self, tenant_id: TenantId, limits: Mapping[Quota, int | None]) -> Account:
        """From now on; what waited for a higher limit goes on at once."""
        await self._store.write(quotas.set_limits(tenant_id, limits))
        self._dispatcher.wake()
        return await self.read(tenant_id)

    async def usage(self, tenant_id: TenantId, since: str, until: str) -> list[Usage]:
        return await self._store.read(quotas.usage(tenant_id, since, until))

    async def probed(self, node: Node, request: ProbedRequest) -> ProbedAnswer:
        """Sets aside what the job will make before anything is encoded. Raises StaleLease."""
        task = await self._store.write(dispatch.probed(request.ref, node.id, request.inputs, self._clock.now_ms()))
        if task.state is not TaskState.FAILED:
            return ProbedAnswer(verdict="stop" if task.state is TaskState.STOPPING else "keep")
        log.info("attempt.refused", task_id=task.id, attempt=task.attempt, job_id=task.job_id)
        self._dispatcher.forget_progress(task.job_id)
        self._signals.changed(task.job_id)
        self._dispatcher.wake()
        return ProbedAnswer(verdict="drop")

    async def drift(self) -> list[Drift]:
        """Counters, of any tenant, that do not equal a recount; nothing is mended. Tenant by tenant, so that others may go on."""
        found: list[Drift] = []
        after = ""
        while page := await self._store.read(identity.tenants(after, _PAGE)):
            for tenant in page:
                found += await self._store.write(quotas.drift(tenant.id))
            after = page[-1].id
        for drift in found:
            log.error("quota.drift", **vars(drift))
        return found
