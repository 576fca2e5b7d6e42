"""What is too old goes, in bounded steps; what is still needed stays."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.store.operations import identity, jobs, keeping
from controlplane.store.port import Op
from shared.errors import NotFound
from shared.ids import ClusterId, JobId
from shared.statuses import JobStatus, TaskState
from tests.builders import a_token
from tests.contract.store.world import CLUSTER, TENANT, World

DAY = 86_400.0


async def remove(world: World, step: Any, seconds: float, size: int = 100) -> int:
    """Everything of a kind that is older than so many seconds."""
    removed, last = 0, ""
    while True:
        operation: Op[keeping.Step] = step(last, until=world.now - int(seconds * 1000), size=size)
        done = await world.store.write(operation)
        removed += done.removed
        if done.last is None:
            return removed
        last = done.last


async def left(world: World, table: str) -> int:
    return len(await world.database.sql(f"SELECT 1 FROM {table}"))


async def an_ended_job(world: World) -> JobId:
    job_id = await world.submit()
    await world.store.write(jobs.cancel(TENANT, job_id, world.now))
    return job_id


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_jobs_go_with_all_that_is_told_of_them_once_they_ended_long_ago(world: World, size: int) -> None:
    old = [await an_ended_job(world) for _ in range(7)]
    world.clock.pass_seconds(10 * DAY)
    young = [await an_ended_job(world) for _ in range(2)]
    assert await remove(world, keeping.remove_jobs, 9 * DAY, size) == 7
    for job_id in old:
        with pytest.raises(NotFound):
            await world.job(job_id)
    assert [(await world.job(job_id)).status for job_id in young] == [JobStatus.CANCELED] * 2
    assert await left(world, "tasks") == 2
    assert await left(world, "events") == 4
    await world.assert_counted()


async def test_a_job_that_has_not_ended_stays_however_old_it_is(world: World) -> None:
    await world.a_task(TaskState.PUBLISHING)
    await world.a_task(TaskState.RUNNING)
    await world.a_task(TaskState.HELD)
    await world.a_task(TaskState.WAITING)
    before = await world.stood()
    world.clock.pass_seconds(400 * DAY)
    assert await remove(world, keeping.remove_jobs, DAY) == 0
    assert await remove(world, keeping.remove_events, DAY) == 0
    assert await world.stood() == before


async def test_a_job_that_was_submitted_long_ago_and_ended_just_now_stays(world: World) -> None:
    job_id = await world.submit(held=True)
    world.clock.pass_seconds(400 * DAY)
    await world.store.write(jobs.cancel(TENANT, job_id, world.now))
    assert await remove(world, keeping.remove_jobs, DAY) == 0
    assert await remove(world, keeping.remove_events, DAY) == 0
    assert await world.events(job_id) == ["submitted", "canceled"]


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_histories_go_before_their_jobs(world: World, size: int) -> None:
    waiting = await world.submit(held=True)
    old = await an_ended_job(world)
    world.clock.pass_seconds(10 * DAY)
    young = await an_ended_job(world)
    assert await remove(world, keeping.remove_events, 9 * DAY, size) == 2
    assert await world.events(old) == []
    assert await world.events(waiting) == ["submitted"]
    assert await world.events(young) == ["submitted", "canceled"]
    assert (await world.job(old)).status is JobStatus.CANCELED


async def test_request_tokens_go_when_their_window_is_over(world: World) -> None:
    for number in range(5):
        await world.create_job(token=a_token(f"short {number}", window_ms=1000))
    lasting = await world.create_job(token=a_token("long", window_ms=100_000))
    world.clock.pass_seconds(2)
    assert await remove(world, keeping.remove_request_tokens, 0, size=2) == 5
    kept = await world.database.sql("SELECT object_id FROM idempotency")
    assert [row["object_id"] for row in kept] == [lasting.job.id]


async def test_join_tokens_go_once_they_were_of_no_use_for_long(world: World) -> None:
    await world.add_node()
    for name, expires_at in (("over", world.now + 1000), ("good", world.now + 30 * 86_400_000)):
        await world.store.write(
            identity.add_join_token(name, ClusterId(CLUSTER), "{}", now=world.now, expires_at=expires_at)
        )
    world.clock.pass_seconds(DAY)
    assert await remove(world, keeping.remove_join_tokens, 2 * DAY) == 0
    world.clock.pass_seconds(2 * DAY)
    assert await remove(world, keeping.remove_join_tokens, 2 * DAY, size=1) == 2
    assert [row["secret_hash"] for row in await world.database.sql("SELECT secret_hash FROM join_tokens")] == ["good"]


async def test_attempts_are_fenced_after_a_restore_and_work_goes_on(world: World) -> None:
    _, publishing = await world.a_task(TaskState.PUBLISHING)
    running, grant = await world.a_running_job()
    waiting = await world.submit()
    await world.store.write(keeping.fence_restored())
    assert (await world.task(running)).attempt == grant.ref.attempt + keeping.FENCE
    assert (await world.task(publishing.job_id)).attempt == publishing.ref.attempt
    (granted,) = await world.grant()
    assert (granted.job_id, granted.ref.attempt) == (waiting, keeping.FENCE + 1)
    await world.assert_counted()


async def test_histories_of_nodes_go_when_they_are_old(world: World) -> None:
    node_id = await world.add_node()
    for _ in range(5):
        await world.database.sql(
            f"INSERT INTO node_events (node_id, at, type, data) VALUES ('{node_id}', {world.now}, 'fault', '{{}}')"
        )
    world.clock.pass_seconds(2 * DAY)
    await world.database.sql(
        f"INSERT INTO node_events (node_id, at, type, data) VALUES ('{node_id}', {world.now}, 'fault', '{{}}')"
    )
    assert await remove(world, keeping.remove_node_events, DAY, size=2) >= 5
    assert [row["at"] for row in await world.database.sql("SELECT at FROM node_events")] == [world.now]


async def test_lines_in_which_nothing_waits_any_more_are_removed_and_made_anew(world: World) -> None:
    for number in range(5):
        job_id = await world.submit(labels={"number": str(number)})
        await world.store.write(jobs.cancel(TENANT, job_id, world.now))
    kept = await world.submit(labels={"number": "5"})
    removed = 0
    last: str | None = ""
    while last is not None:
        step = await world.store.write(keeping.remove_idle_lanes(last, size=2))
        removed, last = removed + step.removed, step.last
    assert removed == 5
    assert len(await world.database.sql("SELECT id FROM lanes")) == 1
    await world.submit(labels={"number": "0"})
    await world.assert_counted()
    assert (await world.job(kept)).task_state is TaskState.WAITING
