"""Tenants' quotas and usage; what nodes tell of inputs, as far as quotas ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from controlplane.domain.quota import Drift, Line, Quota, month_of
from controlplane.services.dispatch import Dispatcher
from controlplane.services.leases import Leases
from controlplane.services.signals import Signals
from controlplane.settings import Settings
from controlplane.store.operations import dispatch, identity, quotas
from controlplane.store.port import Op, Store
from controlplane.store.records import Node, Usage
from shared.clock import Clock
from shared.errors import StorageFull, Unavailable
from shared.ids import TenantId, UserId
from shared.protocol import ProbedAnswer, ProbedRequest
from shared.statuses import TaskState

log = structlog.get_logger()

_PAGE: Final = 200
_LONGEST_MONTH: Final = 31 * 86_400.0


@dataclass(frozen=True)
class Account:
    """A tenant's quotas, with what is used of them this month, in UTC."""

    month: str
    lines: Sequence[Line]
    of_user: Sequence[Line] = ()
    """What binds the user who asks, beside what binds the tenant."""


class Quotas:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signals: Signals,
        dispatcher: Dispatcher,
        leases: Leases,
        settings: Settings,
        tell_drift: Callable[[int], None],
    ) -> None:
        """`tell_drift` is told after every recount how many counters were wrong."""
        self._store = store
        self._clock = clock
        self._signals = signals
        self._dispatcher = dispatcher
        self._leases = leases
        self._settings = settings
        self._tell_drift = tell_drift

    async def read(self, tenant_id: TenantId) -> Account:
        now = self._clock.now_ms()
        return Account(month_of(now), await self._store.read(quotas.read(tenant_id, now)))

    async def read_with_user(self, tenant_id: TenantId, user_id: UserId) -> Account:
        account = await self.read(tenant_id)
        return replace(account, of_user=await self.read_user(tenant_id, user_id))

    async def read_user(self, tenant_id: TenantId, user_id: UserId) -> Sequence[Line]:
        return await self._store.read(quotas.read_user(tenant_id, user_id))

    async def change_user(
        self, tenant_id: TenantId, user_id: UserId, limits: Mapping[Quota, int | None]
    ) -> Sequence[Line]:
        """As `change`, for one user of a tenant."""
        await self._store.write(quotas.set_user_limits(tenant_id, user_id, limits))
        self._dispatcher.wake()
        return await self.read_user(tenant_id, user_id)

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
        self._leases.forget_progress(task.job_id)
        self._signals.changed(task.job_id)
        self._dispatcher.wake()
        return ProbedAnswer(verdict="drop")

    async def run(self) -> None:
        """Recounts at the start and once in a while. What is wrong is told and left as it is: it is a fault of ours to be found."""
        while True:
            try:
                await self.drift()
            except (Unavailable, StorageFull) as error:
                log.error("recount.delayed", error=str(error))
            await asyncio.sleep(self._settings.recount_interval)

    async def drift(self) -> list[Drift]:
        """Counters, of any tenant, that do not equal a recount. Tenant by tenant, so that others may go on meanwhile."""
        found = await self._of_every_tenant(quotas.drift)
        for drift in found:
            log.error("quota.drift", **vars(drift))
        self._tell_drift(len(found))
        return found

    async def repair(self, tenant_id: TenantId | None = None) -> list[Drift]:
        """Sets them to the recount, of one tenant or of all; what was wrong. Raises NotFound."""
        if tenant_id is None:
            repaired = await self._of_every_tenant(quotas.repair)
        else:
            await self._store.read(identity.tenant(tenant_id))
            repaired = await self._store.write(quotas.repair(tenant_id, keeps_months=self._keeps_months))
        for drift in repaired:
            log.warning("quota.repaired", **vars(drift))
        await self.drift()
        self._dispatcher.wake()
        return repaired

    @property
    def _keeps_months(self) -> bool:
        return self._settings.keep_jobs >= _LONGEST_MONTH

    async def _of_every_tenant(self, look: Callable[..., Op[list[Drift]]]) -> list[Drift]:
        found: list[Drift] = []
        after = ""
        while page := await self._store.read(identity.tenants(after, _PAGE)):
            for tenant in page:
                found += await self._store.write(look(tenant.id, keeps_months=self._keeps_months))
            after = page[-1].id
        return found
