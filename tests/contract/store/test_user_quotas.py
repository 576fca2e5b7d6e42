"""Limits of single users: they hold whoever asks at once, beside the tenant's, and count nobody who has none."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from controlplane.domain.permissions import Role
from controlplane.domain.quota import Line, Quota
from controlplane.store.operations import identity, jobs, quotas
from controlplane.store.port import Op
from controlplane.store.records import User
from shared.errors import NotFound, TooManyQueued
from shared.failures import Cause
from shared.ids import UserId
from shared.protocol import Failed, HandedBack
from tests.builders import a_capacity, a_failure, a_job, finished
from tests.contract.store.test_quotas import CALLERS, LIMIT, ROUNDS, admitted
from tests.contract.store.world import OTHER_TENANT, TENANT, World

ANNA = UserId("us_anna")
BERT = UserId("us_bert")
COUNTERS = ("tenants", "user_quotas", "quotas")


@pytest.fixture(autouse=True)
async def users(world: World) -> None:
    for user_id in (ANNA, BERT):
        await world.store.write(identity.add_user(User(user_id, TENANT, user_id, Role.TENANT_USER, "[]", world.now)))


async def lines(world: World, user_id: UserId = ANNA) -> list[Line]:
    return await world.store.read(quotas.read_user(TENANT, user_id))


def told(limit: int | None, used: int | None, of: Quota = Quota.QUEUED_JOBS) -> Line:
    return Line(of, limit, used)


async def test_however_many_ask_at_once_just_as_many_are_let_in_as_may_wait(world: World) -> None:
    await world.limit_user(ANNA, queued=LIMIT)
    for _ in range(ROUNDS):
        assert await admitted(CALLERS, lambda _: world.submit(user_id=ANNA)) == LIMIT
        assert (await lines(world))[0] == told(LIMIT, LIMIT)
        for row in await world.database.sql("SELECT id FROM jobs WHERE status = 'Submitted'"):
            await world.store.write(jobs.cancel(TENANT, row["id"], world.now))
    await world.assert_counted()


async def test_the_refusal_names_whose_limit_it_is_and_leaves_nothing(world: World) -> None:
    await world.limit(queued_jobs=2)
    await world.limit_user(ANNA, queued=1)
    await world.submit(user_id=ANNA)
    before = await world.stood()
    with pytest.raises(TooManyQueued, match=r"^1 jobs of this user wait, and no more than 1 may\.$"):
        await world.submit(user_id=ANNA)
    assert await world.stood() == before
    await world.submit(user_id=BERT)
    with pytest.raises(TooManyQueued, match="of this account"):
        await world.submit(user_id=ANNA)
    await world.assert_counted()


async def test_others_of_the_tenant_are_let_in(world: World) -> None:
    await world.limit_user(ANNA, queued=0)
    for _ in range(3):
        await world.submit(user_id=BERT)


async def test_no_more_of_a_users_jobs_run_than_may_and_others_pass_them_by(world: World) -> None:
    await world.limit_user(ANNA, running=2)
    await world.add_node(capacity=a_capacity(threads=8))
    hers = [await world.submit(user_id=ANNA, priority=5) for _ in range(5)]
    his = [await world.submit(user_id=BERT) for _ in range(2)]
    grants = await world.grant()
    assert {grant.job_id for grant in grants} == {*hers[:2], *his}
    assert await world.grant() == []
    waiting = await world.job(hers[2])
    assert (waiting.user_is_full, waiting.tenant_is_full) == (True, False)
    await world.accept(grants[0])
    await world.report(grants[0], Failed(failure=a_failure(Cause.INPUT)))
    assert [grant.job_id for grant in await world.grant()] == [hers[2]]
    await world.assert_counted()


async def test_nodes_that_ask_at_once_never_start_too_many(world: World) -> None:
    await world.limit_user(ANNA, running=LIMIT)
    names = [await world.add_node(str(number), capacity=a_capacity(threads=2)) for number in range(CALLERS)]
    for _ in range(2 * CALLERS):
        await world.submit(user_id=ANNA)
    granted = await asyncio.gather(*(world.grant(name) for name in names))
    assert sum(map(len, granted)) == LIMIT
    assert (await lines(world))[1] == told(LIMIT, LIMIT, Quota.RUNNING_JOBS)
    await world.assert_counted()


async def test_counters_follow_a_job_wherever_it_goes(world: World) -> None:
    await world.limit_user(ANNA, queued=9, running=9)
    await world.add_node()
    job_id = await world.submit(user_id=ANNA, held=True)
    assert [line.used for line in await lines(world)] == [1, 0]
    await world.store.write(jobs.start(TENANT, job_id, world.now))
    (grant,) = await world.grant()
    assert [line.used for line in await lines(world)] == [0, 1]
    await world.accept(grant)
    await world.report(grant, HandedBack(reason="it drains"))
    assert [line.used for line in await lines(world)] == [1, 0]
    (grant,) = await world.grant()
    await world.accept(grant)
    await world.report(grant, finished())
    assert [line.used for line in await lines(world)] == [0, 1], "while its results are published"
    await world.publish(grant)
    assert [line.used for line in await lines(world)] == [0, 0]
    await world.assert_counted()


async def test_a_limit_that_comes_later_counts_what_there_is(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=2))
    for _ in range(4):
        await world.submit(user_id=ANNA)
    running = len(await world.grant())
    assert await lines(world) == [told(None, None), told(None, None, Quota.RUNNING_JOBS)]
    await world.limit_user(ANNA, queued=1)
    assert await lines(world) == [told(1, 4 - running), told(None, running, Quota.RUNNING_JOBS)]
    with pytest.raises(TooManyQueued):
        await world.submit(user_id=ANNA)
    await world.limit_user(ANNA, running=0)
    assert await world.grant() == []
    await world.assert_counted()


async def test_without_limits_a_user_is_not_counted_any_more(world: World) -> None:
    await world.limit_user(ANNA, queued=1)
    await world.submit(user_id=ANNA)
    await world.limit_user(ANNA)
    await world.submit(user_id=ANNA)
    assert await world.database.sql("SELECT * FROM user_quotas") == []


async def test_a_user_that_is_deleted_takes_its_limits_along_and_leaves_its_jobs(world: World) -> None:
    await world.limit_user(ANNA, running=0)
    await world.add_node()
    job_id = await world.submit(user_id=ANNA)
    assert await world.grant() == []
    await world.store.write(identity.delete_user(TENANT, ANNA))
    assert [grant.job_id for grant in await world.grant()] == [job_id]
    await world.assert_counted()


async def test_users_of_another_tenant_or_none_have_no_limits_to_set(world: World) -> None:
    limits = {Quota.QUEUED_JOBS: 1, Quota.RUNNING_JOBS: 1}
    for tenant_id, user_id in ((OTHER_TENANT, ANNA), (TENANT, UserId("us_nobody"))):
        with pytest.raises(NotFound):
            await world.store.write(quotas.set_user_limits(tenant_id, user_id, limits))
        with pytest.raises(NotFound):
            await world.store.read(quotas.read_user(tenant_id, user_id))


async def test_a_user_without_limits_costs_a_submission_no_statement(world: World) -> None:
    await world.limit_user(BERT, queued=9)
    asked: dict[UserId, Counter[str]] = {ANNA: Counter(), BERT: Counter()}
    for user_id, statements in asked.items():
        new = a_job(world.next_id(), TENANT, world.pipelines[TENANT], user_id=user_id)
        await world.store.write(counted(jobs.create(new, world.now), statements))
    assert asked[ANNA]["queue_jobs"] == 1
    assert asked[BERT] - asked[ANNA] == {"queue_jobs_of_user": 1}


def counted(operation: Op[Any], statements: Counter[str]) -> Op[Any]:
    """The same operation, whose statements are counted."""
    try:
        wanted = next(operation)
        while True:
            statements[wanted.query] += 1
            wanted = operation.send((yield wanted))
    except StopIteration as stop:
        return stop.value


async def test_drift_of_a_users_counters_is_found(world: World) -> None:
    await world.limit_user(ANNA, queued=9)
    await world.database.sql("UPDATE user_quotas SET queued = 3")
    (drift,) = await world.store.write(quotas.drift(TENANT))
    assert (drift.counter, drift.user_id, drift.counted, drift.found) == ("queued", ANNA, 3, 0)


async def test_repair_sets_every_counter_to_what_it_counts(world: World) -> None:
    await world.limit_user(ANNA, queued=9)
    await world.add_node()
    for user_id in (ANNA, ANNA, BERT):
        await world.submit(user_id=user_id)
    await world.grant()
    right = {table: await world.database.sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in COUNTERS}
    for spoil in (
        "UPDATE tenants SET queued = 7, running = 0",
        "UPDATE user_quotas SET queued = 0, running = 5",
        "UPDATE lanes SET waiting = 3",
        "UPDATE quotas SET used = 44 WHERE quota IN ('presets', 'pipelines', 'buckets', 'keys', 'output_minutes')",
    ):
        await world.database.sql(spoil)
    wrong = await world.store.write(quotas.drift(TENANT))
    assert await world.store.write(quotas.repair(TENANT)) == wrong
    await world.store.write(quotas.repair(OTHER_TENANT))
    for table in COUNTERS:
        assert await world.database.sql(f"SELECT * FROM {table} ORDER BY 1, 2") == right[table], table
    await world.assert_counted()
    assert await world.store.write(quotas.repair(TENANT)) == []


async def test_repair_makes_a_lane_that_is_missing(world: World) -> None:
    job_id = await world.submit()
    await world.add_node()
    await world.database.sql("DELETE FROM lanes")
    assert await world.grant() == []
    await world.store.write(quotas.repair(TENANT))
    assert [grant.job_id for grant in await world.grant()] == [job_id]
