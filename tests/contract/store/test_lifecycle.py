"""Every state meets every event: the tables decide, and nothing else changes a state."""

from __future__ import annotations

import itertools

import pytest

from controlplane.domain.lifecycle import JOB_TRANSITIONS, TASK_TRANSITIONS, JobEvent, TaskEvent
from controlplane.store.operations import ending, jobs
from controlplane.store.operations.granting import Grant
from shared.errors import StaleLease, WrongState
from shared.failures import Cause
from shared.ids import JobId
from shared.protocol import Failed, HandedBack, Stopped
from shared.statuses import JobStatus, TaskState
from tests.builders import a_failure, finished
from tests.contract.store.databases import Refused
from tests.contract.store.world import TENANT, World

S, E = TaskState, TaskEvent

LEFT_TO_THE_STORE = {(S.WAITING, E.FAIL)}
"""Edges that are allowed and that nothing does yet."""


def meaning(state: TaskState, event: TaskEvent) -> TaskEvent:
    """What a deed comes to: work that was asked to stop has stopped, whatever its node says, and a node that says
    `stopped` of work that nobody asked it to stop hands it back."""
    if state is S.STOPPING and event in (E.FINISH, E.FAIL, E.REQUEUE):
        return E.STOPPED
    if state in (S.LEASED, S.RUNNING) and event is E.STOPPED:
        return E.REQUEUE
    return event


async def do(world: World, event: TaskEvent, job_id: JobId, grant: Grant) -> None:
    """What brings this event about, in whatever state the task is."""
    match event:
        case E.START:
            await world.store.write(jobs.start(TENANT, job_id, world.now))
        case E.GRANT:
            await world.grant(*world.offers or [await world.add_node()])
        case E.ACCEPT:
            await world.accept(grant)
        case E.REQUEUE:
            await world.report(grant, HandedBack(reason="it drains"))
        case E.STOP:
            await world.store.write(jobs.stop(TENANT, job_id, world.now))
        case E.STOPPED:
            await world.report(grant, Stopped())
        case E.CANCEL:
            await world.store.write(jobs.cancel(TENANT, job_id, world.now))
        case E.FINISH:
            await world.report(grant, finished())
        case E.PUBLISH:
            await world.publish(grant)
        case E.FAIL if (await world.task(job_id)).state is S.PUBLISHING:
            await world.store.write(ending.unpublished(grant.ref.task_id, a_failure(), world.now))
        case E.FAIL:
            await world.report(grant, Failed(failure=a_failure(Cause.INPUT)))


@pytest.mark.parametrize(
    ("state", "event"),
    [pair for pair in itertools.product(TaskState, TaskEvent) if pair not in LEFT_TO_THE_STORE],
)
async def test_a_task_takes_the_events_of_the_table_and_no_other(
    world: World, state: TaskState, event: TaskEvent
) -> None:
    job_id, grant = await world.a_task(state, is_progressing=event is E.STOP)
    target = TASK_TRANSITIONS.get((state, meaning(state, event)))
    before = await world.stood()
    try:
        await do(world, event, job_id, grant)
    except (StaleLease, WrongState):
        assert target is None
    if target is None:
        assert await world.stood() == before
    else:
        assert (await world.task(job_id)).state is target
    await world.assert_counted()


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize("event", JobEvent)
async def test_a_job_takes_the_events_of_the_table_and_no_other(
    world: World, status: JobStatus, event: JobEvent
) -> None:
    job_id, grant = await world.a_job(status)
    deed = {
        JobEvent.ACCEPT: E.ACCEPT,
        JobEvent.CANCEL: E.CANCEL,
        JobEvent.STOP: E.STOP,
        JobEvent.COMPLETE: E.PUBLISH,
        JobEvent.FAIL: E.FAIL,
    }[event]
    if status is JobStatus.SUBMITTED and event in (JobEvent.ACCEPT, JobEvent.FAIL):
        (grant,) = await world.grant(await world.add_node("another"))
    if event is JobEvent.COMPLETE and status is JobStatus.PROGRESSING:
        await do(world, E.FINISH, job_id, grant)
    before = await world.stood()
    try:
        await do(world, deed, job_id, grant)
        if status is JobStatus.PROGRESSING and event is JobEvent.STOP:
            await do(world, E.STOPPED, job_id, grant)
    except (StaleLease, WrongState):
        assert await world.stood() == before
    assert (await world.job(job_id)).status is JOB_TRANSITIONS.get((status, event), status)
    await world.assert_counted()


@pytest.mark.parametrize("source", TaskState)
async def test_the_database_itself_refuses_edges_that_no_task_has(world: World, source: TaskState) -> None:
    job_id, _ = await world.a_task(source)
    edges = {target for (state, _), target in TASK_TRANSITIONS.items() if state is source}
    for target in set(TaskState) - edges - {source}:
        with pytest.raises(Refused, match="no such edge"):
            await world.database.sql(f"UPDATE tasks SET state = '{target}' WHERE job_id = '{job_id}'")
    assert (await world.task(job_id)).state is source


@pytest.mark.parametrize("source", JobStatus)
async def test_the_database_itself_refuses_edges_that_no_job_has(world: World, source: JobStatus) -> None:
    job_id, _ = await world.a_job(source)
    edges = {target for (status, _), target in JOB_TRANSITIONS.items() if status is source}
    for target in set(JobStatus) - edges - {source}:
        with pytest.raises(Refused, match="no such edge"):
            await world.database.sql(f"UPDATE jobs SET status = '{target}' WHERE id = '{job_id}'")
    assert (await world.job(job_id)).status is source


async def test_cancelling_what_is_canceled_answers_as_the_first_time(world: World) -> None:
    job_id, _ = await world.a_task(S.STOPPED)
    before = await world.stood()
    again = await world.store.write(jobs.cancel(TENANT, job_id, world.now))
    assert again.job.status is JobStatus.CANCELED
    assert await world.stood() == before


async def test_cancelling_what_is_canceled_is_refused_to_who_cancels_once(world: World) -> None:
    job_id = await world.submit()
    await world.store.write(jobs.cancel(TENANT, job_id, world.now, once=True))
    before = await world.stood()
    with pytest.raises(WrongState, match="this one is Canceled"):
        await world.store.write(jobs.cancel(TENANT, job_id, world.now, once=True))
    assert await world.stood() == before


async def test_the_events_of_a_job_tell_its_whole_life(world: World) -> None:
    job_id = await world.submit(held=True)
    await world.add_node()
    await world.store.write(jobs.start(TENANT, job_id, world.now))
    (first,) = await world.grant()
    await world.accept(first)
    await world.report(first, HandedBack(reason="it drains"))
    (second,) = await world.grant()
    await world.accept(second)
    await world.report(second, finished())
    await world.publish(second)
    assert await world.events(job_id) == [
        "submitted",
        "started",
        "progressing",
        "requeued",
        "progressing",
        "complete",
    ]
