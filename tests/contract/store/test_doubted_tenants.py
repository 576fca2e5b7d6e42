"""A tenant of whose attempts too many fail has one job at a time, until one succeeds."""

from __future__ import annotations

import pytest

from controlplane.domain.trust import DOUBT_WINDOW_MS
from controlplane.store.operations import ending, figures, granting, identity, jobs
from controlplane.store.operations.granting import Grant
from shared.failures import Cause
from shared.ids import BootId, NodeId
from shared.protocol import Failed, HandedBack, Interruption, Outcome, Stopped
from shared.statuses import Phase
from tests.builders import a_capacity, a_failure, finished
from tests.contract.store.world import OTHER_TENANT, TENANT, World

BAD = Failed(failure=a_failure(Cause.INPUT))
NODE = NodeId("nd_one")


@pytest.fixture(autouse=True)
async def node(world: World) -> None:
    await world.add_node("one", capacity=a_capacity(threads=64))


async def runs(world: World) -> Grant:
    (grant,) = await world.grant()
    await world.accept(grant)
    return grant


async def ends(world: World, outcome: Outcome, times: int = 1) -> None:
    """Attempts at jobs of the tenant, one after the other."""
    for _ in range(times):
        await world.submit()
        grant = await runs(world)
        await world.report(grant, outcome)
        if outcome == finished():
            await world.publish(grant)


async def tallied(world: World) -> tuple[int, int]:
    """Attempts that ended, and that failed."""
    (row,) = await world.database.sql(f"SELECT ended, failed FROM tenants WHERE id = '{TENANT}'")
    return row["ended"], row["failed"]


async def is_doubted(world: World) -> bool:
    return bool((await world.store.read(identity.tenant(TENANT))).is_doubted)


async def begun(world: World, jobs: int = 3) -> int:
    """How many of so many new jobs begin at once."""
    for _ in range(jobs):
        await world.submit()
    return len(await world.grant())


@pytest.mark.parametrize(("good", "bad", "doubted"), [(10, 10, True), (11, 10, False), (0, 20, True), (0, 19, False)])
async def test_half_of_twenty_must_fail(world: World, good: int, bad: int, doubted: bool) -> None:
    await ends(world, finished(), good)
    await ends(world, BAD, bad)
    assert await is_doubted(world) is doubted
    assert await begun(world) == (1 if doubted else 3)
    await world.assert_counted()


async def test_other_tenants_jobs_begin_as_before(world: World) -> None:
    await ends(world, BAD, 20)
    for _ in range(3):
        await world.submit()
        await world.submit(OTHER_TENANT)
    began = [(await world.store.read(ending.task(grant.ref.task_id))).tenant_id for grant in await world.grant()]
    assert (began.count(TENANT), began.count(OTHER_TENANT)) == (1, 3)


async def test_the_others_wait_for_the_one_that_runs_and_say_so(world: World) -> None:
    await ends(world, BAD, 20)
    job_ids = [await world.submit() for _ in range(2)]
    assert not (await world.job(job_ids[0])).tenant_is_doubted
    grant = await runs(world)
    assert await world.grant() == []
    assert not (await world.store.read(granting.outlook(world.now))).may_go
    assert (await world.job(job_ids[1])).tenant_is_doubted
    await world.report(grant, BAD)
    assert (await world.store.read(granting.outlook(world.now))).may_go
    assert await begun(world) == 1


async def test_a_success_ends_the_doubt(world: World) -> None:
    await ends(world, BAD, 25)
    await ends(world, finished())
    assert not await is_doubted(world)
    assert await begun(world) == 3


async def test_failures_that_lie_far_apart_raise_no_doubt(world: World) -> None:
    await ends(world, BAD, 19)
    world.clock.pass_seconds(DOUBT_WINDOW_MS / 1000 + 1)
    await ends(world, BAD, 19)
    assert not await is_doubted(world)
    await ends(world, BAD)
    assert await is_doubted(world)


async def test_time_alone_ends_no_doubt(world: World) -> None:
    await ends(world, BAD, 20)
    world.clock.pass_seconds(DOUBT_WINDOW_MS / 1000 + 1)
    await ends(world, BAD)
    assert await is_doubted(world)


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Failed(failure=a_failure(Cause.UNKNOWN)), 1),
        (Failed(failure=a_failure(Cause.NODE)), 0),
        (HandedBack(reason="it drains"), 0),
    ],
)
async def test_an_attempt_counts_that_the_job_pays_for(world: World, outcome: Outcome, counted: int) -> None:
    await ends(world, outcome)
    assert await tallied(world) == (counted, counted)


async def test_so_does_one_that_ended_its_agent(world: World) -> None:
    await world.submit()
    grant = await runs(world)
    killed = Interruption(ref=grant.ref, by="kill", phase=Phase.ENCODING)
    await world.hello(NODE, BootId("boot-2"), interrupted=[killed])
    assert await tallied(world) == (1, 1)


async def test_what_was_stopped_or_never_begun_counts_for_nothing(world: World) -> None:
    await world.submit()
    (grant,) = await world.grant()
    world.clock.pass_seconds(11)
    assert await world.reap()
    grant = await runs(world)
    await world.store.write(jobs.stop(TENANT, grant.job_id, world.now))
    await world.report(grant, Stopped())
    assert await tallied(world) == (0, 0)


async def test_an_operators_resume_ends_it(world: World) -> None:
    await ends(world, BAD, 20)
    assert not (await world.store.write(identity.resume_tenant(TENANT))).is_doubted
    assert await begun(world) == 3


async def test_operators_see_how_many_tenants_there_are_like_that(world: World) -> None:
    assert (await world.store.read(figures.read())).doubted == 0
    await ends(world, BAD, 20)
    assert (await world.store.read(figures.read())).doubted == 1
