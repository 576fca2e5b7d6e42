"""A small world of tenants, nodes and jobs on a real database, and what must hold in it at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import orjson

from controlplane.domain import fairness
from controlplane.domain.placement import Offer
from controlplane.domain.quota import Quota
from controlplane.store.operations import dispatch, ending, granting, identity, jobs, quotas, resources, results
from controlplane.store.operations.granting import Grant
from controlplane.store.port import Store
from controlplane.store.records import Job, Pipeline, Task
from shared.capacity import Capacity, Demand
from shared.failures import Cause
from shared.ids import BootId, ClusterId, JobId, LeaseId, NodeId, PipelineId, TenantId, TranscoderIds, UserId
from shared.protocol import (
    AttemptRef,
    Failed,
    Finished,
    HandedBack,
    Interruption,
    Outcome,
    ReportRequest,
)
from shared.statuses import JobStatus, PipelineStatus, TaskState
from tests.builders import SMALL, a_capacity, a_failure, a_job, finished, free_of, some_facts
from tests.clock import FakeClock
from tests.contract.store.databases import Database

LEASE_MS = 60_000
ACCEPT_MS = 10_000
CLUSTER = ClusterId("paris-1")
TENANT = TenantId("100000000001")
OTHER_TENANT = TenantId("100000000002")


class World:
    """One cluster, two tenants with a pipeline each, and as many nodes as a test asks for."""

    def __init__(self, store: Store, database: Database) -> None:
        self.store = store
        self.database = database
        self.clock = FakeClock()
        self.pipelines: dict[TenantId, PipelineId] = {}
        self.offers: dict[NodeId, Offer] = {}
        self._ids = TranscoderIds()
        self._rounds = count()

    @classmethod
    async def create(cls, store: Store, database: Database) -> World:
        world = cls(store, database)
        await store.write(resources.add_cluster(CLUSTER, "Paris", world.now))
        for tenant_id in (TENANT, OTHER_TENANT):
            await world.add_tenant(tenant_id)
        return world

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def next_id(self) -> str:
        return self._ids.next(self.now)

    async def add_tenant(self, tenant_id: TenantId, *, weight: int = 1) -> None:
        await self.store.write(
            identity.add_tenant(tenant_id, f"tenant {tenant_id}", weight, UserId(f"us_{tenant_id}"), self.now)
        )
        await self.limit(tenant_id)
        await self.store.write(resources.add_bucket(tenant_id, "b", "file", f"/buckets/{tenant_id}", self.now))
        self.pipelines[tenant_id] = await self.add_pipeline(tenant_id)

    async def limit(self, tenant_id: TenantId = TENANT, **limits: int) -> None:
        """Just these: other limits would only be in the way."""
        every = {quota: limits.get(quota) for quota in Quota}
        await self.store.write(quotas.set_limits(tenant_id, every))

    async def limit_user(self, user_id: UserId, *, queued: int | None = None, running: int | None = None) -> None:
        limits = {Quota.QUEUED_JOBS: queued, Quota.RUNNING_JOBS: running}
        await self.store.write(quotas.set_user_limits(TENANT, user_id, limits))

    async def add_pipeline(self, tenant_id: TenantId) -> PipelineId:
        pipeline_id = PipelineId(self._ids.next(self.now))
        await self.store.write(
            resources.add_pipeline(
                Pipeline(pipeline_id, tenant_id, "p", "b", "b", "b", PipelineStatus.ACTIVE, 1, self.now)
            )
        )
        return pipeline_id

    async def add_node(
        self,
        name: str = "one",
        *,
        capacity: Capacity | None = None,
        cluster_id: ClusterId = CLUSTER,
        labels: dict[str, str] | None = None,
    ) -> NodeId:
        """Enrolled and started; what it offers is remembered."""
        node_id, boot_id, capacity = NodeId(f"nd_{name}"), BootId(f"boot-1-of-{name}"), capacity or a_capacity()
        text = orjson.dumps(labels or {}).decode()
        await self.store.write(
            identity.add_join_token(f"hash-{name}", cluster_id, text, now=self.now, expires_at=self.now + 1000)
        )
        await self.store.write(identity.enrol(f"hash-{name}", node_id, name, "credential", self.now))
        await self.hello(node_id, boot_id, capacity)
        self.offers[node_id] = Offer(node_id, boot_id, cluster_id, labels or {}, capacity, free_of(capacity))
        return node_id

    async def hello(
        self,
        node_id: NodeId,
        boot_id: BootId,
        capacity: Capacity | None = None,
        *,
        before: Sequence[str] | None = None,
        unreported: Sequence[AttemptRef] = (),
        interrupted: Sequence[Interruption] = (),
    ) -> list[dispatch.Lost]:
        """A start of the node's agent. What the node offers from now on, this start offers."""
        start = dispatch.Start(
            boot_id, None if before is None else tuple(map(BootId, before)), tuple(unreported), tuple(interrupted)
        )
        facts = some_facts(capacity).model_dump_json()
        lost = await self.store.write(dispatch.hello(node_id, start, facts, now=self.now, lease=LEASE_MS))
        if node_id in self.offers:
            self.offers[node_id] = replace(self.offers[node_id], boot_id=boot_id)
        return lost

    async def submit(self, tenant_id: TenantId = TENANT, **wishes: Any) -> JobId:
        return (await self.create_job(tenant_id, **wishes)).job.id

    async def create_job(self, tenant_id: TenantId = TENANT, **wishes: Any) -> jobs.Created:
        pipeline_id = wishes.pop("pipeline_id", self.pipelines[tenant_id])
        new = a_job(self._ids.next(self.now), tenant_id, pipeline_id, **wishes)
        return await self.store.write(jobs.create(new, self.now))

    async def grant(self, *node_ids: NodeId) -> list[Grant]:
        """One round, for these nodes or for all."""
        offers = [self.offers[node_id] for node_id in node_ids or self.offers]
        return await self.store.write(
            granting.grant_round(offers, now=self.now, number=next(self._rounds), accept_within=ACCEPT_MS)
        )

    async def accept(self, grant: Grant) -> JobId:
        acceptance = dispatch.Acceptance(grant.ref, grant.node_id, self.now, self.now + LEASE_MS)
        return await self.store.write_together(dispatch.accept, acceptance)

    async def report(self, grant: Grant, outcome: Outcome) -> ending.Reported:
        request = ReportRequest(ref=grant.ref, outcome=outcome)
        if isinstance(outcome, Finished):
            finish = results.Finish(request, outcome, grant.node_id, self.now, ending.RULES)
            return await self.store.write_together(results.finish, finish)
        return await self.store.write(ending.report(request, grant.node_id, self.now))

    async def publish(self, grant: Grant, visible: Finished | None = None) -> None:
        task = await self.store.read(ending.task(grant.ref.task_id))
        published = results.Published(task, visible or finished(), self.now)
        await self.store.write_together(results.published, published)

    async def reap(self, *, floor: int = 0, braked: frozenset[ClusterId] = frozenset()) -> list[dispatch.Lost]:
        return await self.store.write(dispatch.reap(now=self.now, floor=floor, braked=braked, size=500))

    async def job(self, job_id: JobId, tenant_id: TenantId = TENANT) -> Job:
        return await self.store.read(jobs.read(tenant_id, job_id))

    async def clock_passes(self, seconds: float, *sweeps: Callable[[], Awaitable[object]]) -> None:
        """Time goes by, with sweeps as often as a control plane makes them."""
        for _ in range(round(seconds)):
            self.clock.pass_seconds(1)
            for sweep in sweeps:
                await sweep()

    async def task(self, job_id: JobId) -> Task:
        job = await self.job(job_id)
        return await self.store.read(ending.task(job.task_id))

    async def events(self, job_id: JobId) -> list[str]:
        return [event.type for event in await self.store.read(jobs.events(job_id, 0, 1000))]

    async def stood(self) -> dict[str, Any]:
        """Everything that an operation without effect must leave as it was."""
        tables = ("tenants", "quotas", "user_quotas", "usage", "jobs", "tasks", "lanes", "events", "idempotency")
        return {table: await self.database.sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}

    async def counts(self) -> dict[str, Any]:
        tenants = await self.database.sql("SELECT id, queued, running, running_cost FROM tenants ORDER BY id")
        lanes = await self.database.sql(
            "SELECT pipeline_id, need, user_id, waiting FROM lanes WHERE waiting > 0 ORDER BY 1, 2, 3"
        )
        return {"tenants": tenants, "lanes": lanes}

    async def recount(self) -> dict[str, Any]:
        """What the counters ought to say, from the tasks themselves."""
        tenants = await self.database.sql(
            """SELECT n.id,
                      COUNT(CASE WHEN t.state IN ('Held', 'Waiting') THEN 1 END) AS queued,
                      COUNT(CASE WHEN t.state IN ('Leased', 'Running', 'Stopping', 'Publishing') THEN 1 END) AS running
                 FROM tenants n LEFT JOIN tasks t ON t.tenant_id = n.id GROUP BY n.id ORDER BY n.id"""
        )
        held = await self.database.sql(
            """SELECT tenant_id, granted FROM tasks WHERE state IN ('Leased', 'Running', 'Stopping', 'Publishing')"""
        )
        costs: Counter[str] = Counter()
        for task in held:
            costs[task["tenant_id"]] += fairness.cost(Demand.model_validate_json(task["granted"]))
        tenants = [{**tenant, "running_cost": costs[tenant["id"]]} for tenant in tenants]
        lanes = await self.database.sql(
            """SELECT pipeline_id, need, user_id, COUNT(*) AS waiting FROM tasks WHERE state = 'Waiting'
                GROUP BY pipeline_id, need, user_id ORDER BY 1, 2, 3"""
        )
        return {"tenants": tenants, "lanes": lanes}

    async def assert_counted(self) -> None:
        assert await self.counts() == await self.recount()
        for tenant_id in self.pipelines:
            assert await self.store.write(quotas.drift(tenant_id)) == []

    async def a_task(self, state: TaskState, *, is_progressing: bool = False) -> tuple[JobId, Grant]:
        """A job whose task is in this state, and its last lease (one that never was, before the first grant)."""
        job_id = await self.submit(held=state is TaskState.HELD)
        grant = Grant(
            NodeId("nd_none"),
            AttemptRef(task_id=(await self.job(job_id)).task_id, attempt=0, lease_id=LeaseId("none")),
            job_id,
            SMALL,
        )
        if is_progressing and state in (TaskState.WAITING, TaskState.LEASED):
            (grant,) = await self._granted()
            await self.accept(grant)
            await self.report(grant, HandedBack(reason="it drains"))
        match state:
            case TaskState.HELD | TaskState.WAITING:
                pass
            case TaskState.LEASED:
                (grant,) = await self._granted()
            case TaskState.RUNNING:
                grant = await self._running()
            case TaskState.STOPPING:
                grant = await self._running()
                await self.store.write(jobs.stop(TENANT, job_id, self.now))
            case TaskState.PUBLISHING:
                grant = await self._running()
                await self.report(grant, finished())
            case TaskState.SUCCEEDED:
                grant = await self._running()
                await self.report(grant, finished())
                await self.publish(grant)
            case TaskState.FAILED:
                grant = await self._running()
                await self.report(grant, Failed(failure=a_failure(Cause.INPUT)))
            case TaskState.STOPPED:
                await self.store.write(jobs.cancel(TENANT, job_id, self.now))
        assert (await self.task(job_id)).state is state
        return job_id, grant

    async def a_job(self, status: JobStatus) -> tuple[JobId, Grant]:
        state = {
            JobStatus.SUBMITTED: TaskState.WAITING,
            JobStatus.PROGRESSING: TaskState.RUNNING,
            JobStatus.COMPLETE: TaskState.SUCCEEDED,
            JobStatus.CANCELED: TaskState.STOPPED,
            JobStatus.ERROR: TaskState.FAILED,
        }[status]
        job_id, grant = await self.a_task(state)
        assert (await self.job(job_id)).status is status
        return job_id, grant

    async def a_running_job(self, **wishes: Any) -> tuple[JobId, Grant]:
        job_id = await self.submit(**wishes)
        return job_id, await self._running()

    async def _granted(self) -> list[Grant]:
        if not self.offers:
            await self.add_node()
        return await self.grant()

    async def _running(self) -> Grant:
        (grant,) = await self._granted()
        await self.accept(grant)
        return grant
