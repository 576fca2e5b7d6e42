"""A job that has ended is tried again as another job that names it."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from controlplane.store.operations import jobs, retries
from controlplane.store.operations.jobs import Created
from controlplane.store.operations.tokens import Token
from shared.errors import IdempotencyMismatch, NotFound, WrongState
from shared.failures import Cause
from shared.ids import JobId, TranscoderIds
from shared.protocol import Failed
from shared.statuses import JobStatus, TaskState
from tests.builders import a_failure, a_token
from tests.contract.store.world import OTHER_TENANT, TENANT, World

IDS = TranscoderIds()
ENDED = (JobStatus.COMPLETE, JobStatus.CANCELED, JobStatus.ERROR)


async def retry(world: World, job_id: JobId, token: Token | None = None) -> Created:
    return await world.store.write(retries.retry(TENANT, job_id, JobId(IDS.next(world.now)), token, world.now))


async def a_failed_job(world: World, **wishes: object) -> JobId:
    job_id, grant = await world.a_running_job(**wishes)
    await world.report(grant, Failed(failure=a_failure(Cause.INPUT)))
    return job_id


async def retry_failed(world: World, job_id: JobId) -> Created | None:
    return await world.store.write(retries.retry_failed(TENANT, job_id, JobId(IDS.next(world.now)), world.now))


async def failed(world: World, since: int = 0, size: int = 100) -> list[JobId]:
    found = retries.failed(TENANT, since=since, before=world.now + 1, pipeline_id=None, size=size)
    return await world.store.read(found)


@pytest.mark.parametrize("status", ENDED)
async def test_an_ended_job_is_repeated_by_another_that_names_it(world: World, status: JobStatus) -> None:
    job_id, _ = await world.a_job(status)
    before = await world.job(job_id)
    made = await retry(world, job_id)
    repeated = await world.job(made.job.id)
    assert (repeated.status, repeated.retry_of, repeated.task_state) == (JobStatus.SUBMITTED, job_id, TaskState.WAITING)
    assert orjson.loads(repeated.document) == orjson.loads(before.document)
    assert made.job == repeated
    assert await world.job(job_id) == before
    await world.assert_counted()


@pytest.mark.parametrize("status", [JobStatus.SUBMITTED, JobStatus.PROGRESSING])
async def test_a_job_that_has_not_ended_cannot_be_retried(world: World, status: JobStatus) -> None:
    job_id, _ = await world.a_job(status)
    before = await world.stood()
    with pytest.raises(WrongState):
        await retry(world, job_id)
    assert await world.stood() == before


async def test_the_retry_of_a_job_that_waited_for_its_start_waits_for_nothing(world: World) -> None:
    job_id, _ = await world.a_task(TaskState.HELD)
    await world.store.write(jobs.cancel(TENANT, job_id, world.now))
    assert (await retry(world, job_id)).job.task_state is TaskState.WAITING


async def test_a_retry_is_worked_on_from_its_first_attempt(world: World) -> None:
    job_id = await a_failed_job(world)
    made = await retry(world, job_id)
    (grant,) = await world.grant()
    assert (grant.job_id, grant.ref.attempt) == (made.job.id, 1)


async def test_one_token_makes_one_retry(world: World) -> None:
    job_id, other = await a_failed_job(world), await a_failed_job(world)
    token = a_token("again")._replace(operation="retry_job")
    first = await retry(world, job_id, token)
    again = await retry(world, job_id, token)
    assert (again.job.id, again.replayed) == (first.job.id, True)
    with pytest.raises(IdempotencyMismatch):
        await retry(world, other, token._replace(fingerprint="of another job"))
    assert (await retry(world, job_id)).job.id != first.job.id


async def test_another_tenant_s_job_is_not_there_to_be_retried(world: World) -> None:
    job_id = await a_failed_job(world)
    with pytest.raises(NotFound):
        await world.store.write(retries.retry(OTHER_TENANT, job_id, JobId(IDS.next(world.now)), None, world.now))


async def test_all_that_failed_are_found_in_the_order_in_which_they_did(world: World) -> None:
    made = []
    for _ in range(4):
        world.clock.pass_seconds(1)
        made.append(await a_failed_job(world))
    await world.a_job(JobStatus.COMPLETE)
    since = (await world.job(made[1])).finished_at or 0
    assert await failed(world, since) == made[1:]
    assert await failed(world, since + 1) == made[2:]
    assert await failed(world, size=2) == made[:2]


async def test_each_failure_is_retried_once_however_many_ask(world: World) -> None:
    made = [await a_failed_job(world) for _ in range(5)]
    found = await failed(world)
    results = await asyncio.gather(*(retry_failed(world, job_id) for job_id in found * 4))
    retried = [created.job.retry_of for created in results if created is not None]
    assert sorted(filter(None, retried)) == sorted(made)
    assert await failed(world) == []
    await world.assert_counted()


async def test_what_was_retried_by_itself_is_not_retried_with_the_others(world: World) -> None:
    await retry(world, await a_failed_job(world))
    assert await failed(world) == []


async def test_a_retry_that_fails_too_is_a_failure_of_its_own(world: World) -> None:
    first = await a_failed_job(world)
    made = await retry(world, first)
    (grant,) = await world.grant()
    await world.accept(grant)
    await world.report(grant, Failed(failure=a_failure(Cause.INPUT)))
    assert await failed(world) == [made.job.id]
