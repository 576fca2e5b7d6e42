"""Two sides at once: a tenant who ends a job, and a node that takes, accepts, finishes or loses it.

On SQLite operations run one after the other, in an order that the test draws; on PostgreSQL they really meet.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest

from controlplane.store.operations import jobs
from controlplane.store.operations.granting import Grant
from shared.errors import StaleLease, WrongState
from shared.failures import Cause
from shared.ids import BootId, JobId
from shared.protocol import Failed, Finished, HandedBack, Outcome, Stopped
from shared.statuses import JobStatus, TaskState
from tests.builders import a_capacity, a_failure, finished
from tests.contract.store.world import TENANT, World
from tests.soak import times

LOST = "lost"


async def tried(attempt: Coroutine[Any, Any, Any]) -> Any:
    """What came of it, or LOST when the other side was faster."""
    try:
        return await attempt
    except (StaleLease, WrongState):
        return LOST


async def at_once(*sides: Coroutine[Any, Any, Any]) -> list[Any]:
    """All at the same time, in any order; the results in the order given."""
    numbered = list(enumerate(map(tried, sides)))
    random.shuffle(numbered)
    results = await asyncio.gather(*(side for _, side in numbered))
    return [result for _, result in sorted(zip((number for number, _ in numbered), results, strict=True))]


async def work(world: World, grant: Grant) -> str:
    await world.accept(grant)
    return "ran"


async def ran(world: World, job_id: JobId) -> bool:
    return "progressing" in await world.events(job_id)


@pytest.mark.parametrize("first", ["tenant", "node", "nobody"])
async def test_a_cancel_that_was_acknowledged_never_runs(world: World, first: str) -> None:
    """A cancel against a grant and its accept, again and again: one after the other, or really at once."""
    await world.add_node(capacity=a_capacity(threads=64))

    async def take(may_begin: asyncio.Event, has_ended: asyncio.Event) -> None:
        await may_begin.wait()
        for grant in await world.grant():
            await work(world, grant)
        has_ended.set()

    async def cancel(job_id: JobId, may_begin: asyncio.Event, has_ended: asyncio.Event) -> object:
        await may_begin.wait()
        canceled = await tried(world.store.write(jobs.cancel(TENANT, job_id, world.now)))
        has_ended.set()
        return canceled

    for _ in range(times(40, 400)):
        job_id = await world.submit()
        canceled_it, took_it, now = asyncio.Event(), asyncio.Event(), asyncio.Event()
        now.set()
        canceled, _ = await at_once(
            cancel(job_id, took_it if first == "node" else now, canceled_it),
            take(canceled_it if first == "tenant" else now, took_it),
        )
        has_run = await ran(world, job_id)
        assert (canceled == LOST) is has_run, "one of the two, and never both"
        if first != "nobody":
            assert has_run is (first == "node")
        if has_run:
            await world.store.write(jobs.stop(TENANT, job_id, world.now))
            task = await world.task(job_id)
            await world.store.write(jobs.stop(TENANT, job_id, world.now))
            assert task.state is TaskState.STOPPING
            world.clock.pass_seconds(60)
            await world.reap()
        assert (await world.job(job_id)).status is JobStatus.CANCELED
    await world.assert_counted()


async def test_a_cancel_meets_the_accept_of_a_granted_lease(world: World) -> None:
    await world.add_node()
    for _ in range(times(40, 400)):
        job_id = await world.submit()
        (grant,) = await world.grant()
        canceled, accepted = await at_once(
            world.store.write(jobs.cancel(TENANT, job_id, world.now)), work(world, grant)
        )
        assert [canceled, accepted].count(LOST) == 1
        if accepted != LOST:
            await world.report(grant, Failed(failure=a_failure(Cause.INPUT)))
    await world.assert_counted()


@pytest.mark.parametrize(
    "outcome",
    [finished(), Failed(failure=a_failure(Cause.NODE)), Failed(failure=a_failure(Cause.INPUT)), HandedBack(reason="x")],
    ids=["finished", "node's fault", "input's fault", "handed back"],
)
async def test_a_stop_meets_the_end_of_the_attempt(world: World, outcome: Outcome) -> None:
    """Whoever is first: a job that is stopped first is Canceled, and one that ended first has ended."""
    await world.add_node()
    for _ in range(times(20, 200)):
        world.clock.pass_seconds(301)
        job_id, grant = await world.a_running_job()
        stopped, reported = await at_once(
            world.store.write(jobs.stop(TENANT, job_id, world.now)), world.report(grant, outcome)
        )
        assert reported != LOST
        job = await world.job(job_id)
        if stopped != LOST:
            assert job.status is JobStatus.CANCELED
            assert job.task_state is TaskState.STOPPED
        else:
            assert job.task_state in (TaskState.PUBLISHING, TaskState.FAILED)
            if isinstance(outcome, Finished):
                await world.publish(grant)
    await world.assert_counted()


async def test_a_stop_meets_the_publishing(world: World) -> None:
    for _ in range(times(20, 200)):
        job_id, grant = await world.a_task(TaskState.PUBLISHING)
        stopped, _ = await at_once(world.store.write(jobs.stop(TENANT, job_id, world.now)), world.publish(grant))
        assert stopped == LOST
        assert (await world.job(job_id)).status is JobStatus.COMPLETE
    await world.assert_counted()


async def test_a_start_meets_a_cancel(world: World) -> None:
    for _ in range(times(20, 200)):
        job_id, _ = await world.a_task(TaskState.HELD)
        _, canceled = await at_once(
            world.store.write(jobs.start(TENANT, job_id, world.now)),
            world.store.write(jobs.cancel(TENANT, job_id, world.now)),
        )
        assert canceled != LOST
        assert (await world.job(job_id)).status is JobStatus.CANCELED
    await world.assert_counted()


async def test_many_stops_are_one(world: World) -> None:
    job_id, grant = await world.a_running_job()
    answers = await at_once(*(world.store.write(jobs.stop(TENANT, job_id, world.now)) for _ in range(16)))
    assert LOST not in answers
    assert (await world.events(job_id)).count("stopping") == 1
    await world.report(grant, Stopped())
    assert (await world.events(job_id)).count("canceled") == 1
    await world.assert_counted()


async def test_no_stale_report_is_taken_and_every_fresh_one_is(world: World) -> None:
    """A node that was believed lost reports at the moment in which its successor does."""
    one = await world.add_node("one", capacity=a_capacity(threads=64))
    two = await world.add_node("two", capacity=a_capacity(threads=64))
    taken: Counter[str] = Counter()
    for _ in range(times(60, 300)):
        await world.submit()
        (late,) = await world.grant(one)
        await world.accept(late)
        world.clock.pass_seconds(60)
        await world.reap()
        (fresh,) = await world.grant(two)
        await world.accept(fresh)
        stale, accepted = await at_once(world.report(late, finished()), world.report(fresh, finished()))
        taken["stale"] += stale != LOST
        taken["fresh"] += accepted != LOST
        await world.publish(fresh)
    assert taken == {"stale": 0, "fresh": times(60, 300)}
    await world.assert_counted()


async def test_a_report_meets_the_end_of_its_lease(world: World) -> None:
    """Either the report was in time or the work is done again; never both, never neither."""
    node_id = await world.add_node()
    for number in range(times(20, 200)):
        job_id, grant = await world.a_running_job()
        world.clock.pass_seconds(60)
        reported, _ = await at_once(world.report(grant, finished()), world.reap())
        state = (await world.task(job_id)).state
        assert state is (TaskState.WAITING if reported == LOST else TaskState.PUBLISHING)
        if reported == LOST:
            await world.store.write(jobs.stop(TENANT, job_id, world.now))
        else:
            await world.publish(grant)
        await world.hello(node_id, BootId(f"boot {number}"))
    await world.assert_counted()
