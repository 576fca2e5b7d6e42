"""Many that go well at the same time: each is taken once, and what is wrong with one is its own trouble."""

from __future__ import annotations

import asyncio

from controlplane.store.operations.granting import READ_AHEAD
from shared.errors import StaleLease
from shared.statuses import JobStatus, TaskState
from tests.builders import a_capacity, finished
from tests.contract.store.world import OTHER_TENANT, TENANT, World


async def test_an_accept_that_is_sent_twice_at_once_begins_once(world: World) -> None:
    await world.add_node()
    job_id = await world.submit()
    (grant,) = await world.grant()
    assert await asyncio.gather(world.accept(grant), world.accept(grant)) == [job_id, job_id]
    assert await world.events(job_id) == ["submitted", "progressing"]
    assert (await world.task(job_id)).spent == 1


async def test_a_report_that_is_sent_twice_at_once_is_taken_once(world: World) -> None:
    job_id, grant = await world.a_running_job()
    both = await asyncio.gather(world.report(grant, finished()), world.report(grant, finished()))
    assert [reported.repeated for reported in both] == [False, True]
    assert {reported.task.state for reported in both} == {TaskState.PUBLISHING}
    assert both[1].task == await world.task(job_id) == both[0].task


async def test_a_stale_report_is_refused_beside_good_ones(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=64))
    for _ in range(3):
        await world.submit()
    grants = await world.grant()
    for grant in grants[1:]:
        await world.accept(grant)
    found = await asyncio.gather(*(world.report(grant, finished()) for grant in grants), return_exceptions=True)
    assert isinstance(found[0], StaleLease)
    assert [await world.task(grant.job_id) for grant in grants[1:]] == [reported.task for reported in found[1:]]  # type: ignore[union-attr]
    assert (await world.task(grants[0].job_id)).state is TaskState.LEASED
    await world.assert_counted()


async def test_only_the_tenant_that_may_store_no_more_is_refused(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=64))
    mine, others = await world.submit(), await world.submit(OTHER_TENANT)
    grants = await world.grant()
    for grant in grants:
        await world.accept(grant)
    await world.limit(TENANT, stored_bytes=1)
    await asyncio.gather(*(world.report(grant, finished()) for grant in grants))
    assert (await world.job(mine)).status is JobStatus.ERROR
    assert (await world.job(others, OTHER_TENANT)).task_state is TaskState.PUBLISHING
    await world.assert_counted()


async def test_results_that_are_published_twice_at_once_count_once(world: World) -> None:
    job_id, grant = await world.a_running_job()
    await world.report(grant, finished())
    await asyncio.gather(world.publish(grant), world.publish(grant))
    assert await world.events(job_id) == ["submitted", "progressing", "complete"]
    await world.assert_counted()


async def test_one_round_empties_a_lane_that_is_longer_than_what_is_read_of_it_at_once(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=256))
    submitted = [await world.submit() for _ in range(2 * READ_AHEAD + 3)]
    grants = await world.grant()
    assert [grant.job_id for grant in grants] == submitted
    await world.assert_counted()
