"""Several control planes on one PostgreSQL: what holds for one process holds for all of them together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from controlplane.store.operations import identity, jobs
from controlplane.store.port import Store
from controlplane.store.postgres import PostgresStore
from shared.errors import TooManyQueued
from shared.ids import TenantId
from tests.builders import a_capacity, a_job, a_token, finished
from tests.contract.store.databases import PostgresDatabase
from tests.contract.store.world import TENANT, World
from tests.soak import times


@pytest.fixture
async def replicas(postgres_dsn: str) -> AsyncIterator[tuple[World, Store]]:
    """A world on one process, and another process."""
    database = PostgresDatabase(postgres_dsn)
    one, other = await asyncio.gather(database.open(), database.open())
    try:
        yield await World.create(one, database), other
    finally:
        await one.close()
        await other.close()


async def test_replicas_that_start_together_migrate_once(postgres_dsn: str) -> None:
    stores = await asyncio.gather(*(PostgresStore.open(postgres_dsn) for _ in range(4)))
    for store in stores:
        await store.close()
    rows = await PostgresDatabase(postgres_dsn).sql("SELECT version FROM schema_version")
    assert [row["version"] for row in rows] == [1]


async def test_one_token_makes_one_job_whichever_replica_is_asked(replicas: tuple[World, Store]) -> None:
    world, other = replicas
    for number in range(times(5, 200)):
        new = [
            a_job(f"{number:013d}-{caller:06d}", TENANT, world.pipelines[TENANT], token=a_token(f"round {number}"))
            for caller in range(16)
        ]
        made = await asyncio.gather(
            *((world.store, other)[index % 2].write(jobs.create(job, world.now)) for index, job in enumerate(new))
        )
        assert Counter(created.replayed for created in made) == {False: 1, True: 15}
        assert len({created.job.id for created in made}) == 1
    await world.assert_counted()


async def test_replicas_that_write_for_the_same_tenants_in_other_orders_refuse_nobody(
    replicas: tuple[World, Store],
) -> None:
    world, other = replicas
    tenants = [TenantId(f"2{number:011d}") for number in range(20)]
    for tenant_id in tenants:
        await world.add_tenant(tenant_id)
    for number in range(times(5, 50)):
        orders = [(world.store, tenants), (other, tenants[::-1])]
        await asyncio.gather(
            *(
                store.write(
                    jobs.create(
                        a_job(f"{number:013d}-{place:01d}{index:05d}", tenant_id, world.pipelines[tenant_id]), world.now
                    )
                )
                for place, (store, order) in enumerate(orders)
                for index, tenant_id in enumerate(order)
            )
        )
    await world.assert_counted()


async def test_two_replicas_never_give_one_task_twice(replicas: tuple[World, Store]) -> None:
    world, other = replicas
    total = times(100, 3000)
    await asyncio.gather(*(world.submit() for _ in range(total)))
    granted: Counter[str] = Counter()

    async def work(view: World, name: str) -> None:
        while grants := await view.grant(view_of[name]):
            for grant in grants:
                granted[grant.ref.task_id] += 1
                await view.accept(grant)
                await view.report(grant, finished())

    view_of = {name: await world.add_node(name, capacity=a_capacity(threads=2)) for name in "abcdefgh"}
    elsewhere = World(other, world.database)
    elsewhere.offers = world.offers
    await asyncio.gather(*(work((world, elsewhere)[index % 2], name) for index, name in enumerate(view_of)))
    assert len(granted) == total
    assert set(granted.values()) == {1}
    await world.assert_counted()


async def test_an_acknowledged_write_is_read_by_every_replica(replicas: tuple[World, Store]) -> None:
    world, other = replicas
    await world.store.write(identity.set_meta("key", "value"))
    assert await other.read(identity.meta("key")) == "value"


async def test_a_quota_holds_for_all_replicas_together(replicas: tuple[World, Store]) -> None:
    world, other = replicas
    await world.limit(queued_jobs=10)
    for round_ in range(times(5, 50)):
        new = [a_job(f"{round_:013d}-{caller:06d}", TENANT, world.pipelines[TENANT]) for caller in range(32)]
        made = await asyncio.gather(
            *((world.store, other)[index % 2].write(jobs.create(job, world.now)) for index, job in enumerate(new)),
            return_exceptions=True,
        )
        let_in = [answer.job.id for answer in made if isinstance(answer, jobs.Created)]
        assert len(let_in) == 10
        assert sum(isinstance(answer, TooManyQueued) for answer in made) == 22
        for job_id in let_in:
            await other.write(jobs.cancel(TENANT, job_id, world.now))
    await world.assert_counted()
