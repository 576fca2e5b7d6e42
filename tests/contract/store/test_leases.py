"""A lease has an owner, a number and an end: whoever speaks of another changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.store.operations import dispatch, ending, granting, jobs
from controlplane.store.operations.granting import Grant
from shared.errors import StaleLease
from shared.failures import Cause
from shared.ids import BootId, ClusterId, NodeId
from shared.protocol import AttemptProgress, AttemptRef, Failed, HandedBack, Outcome, Stopped
from shared.statuses import JobStatus, TaskState
from tests.builders import a_failure, finished, some_progress
from tests.contract.store.world import CLUSTER, LEASE_MS, TENANT, World
from tests.fields import shows

BOOT = BootId("boot-1-of-one")


def strangers(grant: Grant) -> list[Grant]:
    """The same task under every lease but its own."""
    ref = grant.ref
    return [
        replace(grant, ref=AttemptRef(task_id=ref.task_id, attempt=ref.attempt + 1, lease_id=ref.lease_id)),
        replace(grant, ref=AttemptRef(task_id=ref.task_id, attempt=ref.attempt, lease_id="other")),
        replace(grant, ref=AttemptRef(task_id="tk_none", attempt=ref.attempt, lease_id=ref.lease_id)),
        replace(grant, node_id=NodeId("nd_other")),
    ]


async def beat(world: World, grant: Grant, boot_id: BootId = BOOT) -> str:
    said = (AttemptProgress(ref=grant.ref, progress=some_progress(40)),)
    heard = await world.store.write(dispatch.beat(grant.node_id, boot_id, "{}", said, now=world.now, lease=LEASE_MS))
    return heard.verdicts[0]


async def test_only_the_owner_of_a_lease_can_accept_it(world: World) -> None:
    await world.add_node()
    await world.add_node("other")
    job_id = await world.submit()
    (grant,) = await world.grant(NodeId("nd_one"))
    before = await world.stood()
    for stranger in strangers(grant):
        with pytest.raises(StaleLease):
            await world.accept(stranger)
    assert await world.stood() == before
    assert (await world.job(job_id)).status is JobStatus.SUBMITTED
    await world.accept(grant)


async def test_accepting_twice_is_accepting_once(world: World) -> None:
    job_id, grant = await world.a_running_job()
    before = await world.stood()
    assert await world.accept(grant) == job_id
    assert await world.stood() == before


@pytest.mark.parametrize(
    "outcome",
    [finished(), Failed(failure=a_failure()), Stopped(), HandedBack(reason="it drains")],
    ids=lambda outcome: outcome.type,
)
async def test_a_report_under_another_lease_changes_nothing(world: World, outcome: Outcome) -> None:
    await world.add_node("one")
    await world.add_node("other")
    await world.submit()
    (grant,) = await world.grant(NodeId("nd_one"))
    await world.accept(grant)
    before = await world.stood()
    for stranger in strangers(grant):
        with pytest.raises(StaleLease):
            await world.report(stranger, outcome)
    assert await world.stood() == before


async def test_a_report_of_an_attempt_that_was_given_to_another_node_changes_nothing(world: World) -> None:
    one, _ = await world.add_node("one"), await world.add_node("two")
    await world.submit()
    (late,) = await world.grant(one)
    await world.accept(late)
    world.clock.pass_seconds(61)
    await world.reap()
    (fresh,) = await world.grant(NodeId("nd_two"))
    await world.accept(fresh)
    before = await world.stood()
    with pytest.raises(StaleLease):
        await world.report(late, finished())
    assert await world.stood() == before
    assert (await world.report(fresh, finished())).task.state is TaskState.PUBLISHING


@pytest.mark.parametrize(
    "outcome",
    [finished(), Failed(failure=a_failure()), Failed(failure=a_failure(Cause.INPUT)), HandedBack(reason="it drains")],
    ids=["finished", "failed", "failed for good", "handed back"],
)
async def test_the_same_report_again_is_answered_as_the_first_time(world: World, outcome: Outcome) -> None:
    _, grant = await world.a_running_job()
    first = await world.report(grant, outcome)
    before = await world.stood()
    again = await world.report(grant, outcome)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.task.state is first.task.state
    assert await world.stood() == before


async def test_another_report_of_an_ended_attempt_is_refused(world: World) -> None:
    _, grant = await world.a_running_job()
    await world.report(grant, finished())
    before = await world.stood()
    with pytest.raises(StaleLease):
        await world.report(grant, Failed(failure=a_failure()))
    assert await world.stood() == before


async def test_a_repeated_report_is_still_known_after_publication(world: World) -> None:
    _, grant = await world.a_running_job()
    await world.report(grant, finished())
    await world.publish(grant)
    assert (await world.report(grant, finished())).task.state is TaskState.SUCCEEDED


async def test_publishing_twice_counts_once(world: World) -> None:
    _, grant = await world.a_running_job()
    _, other = await world.a_running_job()
    await world.report(grant, finished())
    await world.publish(grant)
    before = await world.stood()
    await world.publish(grant)
    assert await world.stood() == before
    assert (await world.report(other, finished())).task.state is TaskState.PUBLISHING


async def test_a_node_that_fails_what_it_never_accepted_spends_an_attempt(world: World) -> None:
    await world.add_node()
    job_id = await world.submit(max_attempts=2)
    for _ in range(2):
        world.clock.pass_seconds(60)
        (grant,) = await world.grant()
        await world.report(grant, Failed(failure=a_failure(Cause.UNKNOWN)))
    assert (await world.job(job_id)).status is JobStatus.ERROR


async def test_a_beat_renews_the_lease_and_keeps_the_work(world: World) -> None:
    _, grant = await world.a_running_job()
    for _ in range(3):
        world.clock.pass_seconds(50)
        assert await beat(world, grant) == "keep"
        assert await world.reap() == []
    world.clock.pass_seconds(60)
    assert [lost.task_id for lost in await world.reap()] == [grant.ref.task_id]


async def test_a_beat_tells_what_to_stop_and_what_to_drop(world: World) -> None:
    job_id, grant = await world.a_running_job()
    await world.store.write(jobs.stop(TENANT, job_id, world.now))
    assert await beat(world, grant) == "stop"
    await world.report(grant, Stopped())
    assert await beat(world, grant) == "drop"


async def test_beats_of_an_earlier_boot_are_stale(world: World) -> None:
    _, grant = await world.a_running_job()
    await world.hello(grant.node_id, BootId("boot-2"))
    with pytest.raises(StaleLease):
        await beat(world, grant, BOOT)


async def test_a_new_boot_ends_the_leases_of_the_older_ones(world: World) -> None:
    job_id, grant = await world.a_running_job()
    lost = await world.hello(grant.node_id, BootId("boot-2"))
    assert [ended.job_id for ended in lost] == [job_id]
    assert (await world.task(job_id)).state is TaskState.WAITING
    with pytest.raises(StaleLease):
        await world.report(grant, finished())
    await world.assert_counted()


async def test_a_new_boot_keeps_the_leases_whose_report_is_still_to_come(world: World) -> None:
    job_id, grant = await world.a_running_job()
    assert await world.hello(grant.node_id, BootId("boot-2"), unreported=[grant.ref]) == []
    await world.report(grant, finished())
    await world.publish(grant)
    assert (await world.job(job_id)).status is JobStatus.COMPLETE


async def test_a_hello_that_is_sent_again_ends_nothing(world: World) -> None:
    _, grant = await world.a_running_job()
    assert await world.hello(grant.node_id, BOOT) == []
    assert await beat(world, grant) == "keep"


@shows("max_attempts")
async def test_work_that_kills_its_agent_ends_in_error_after_its_attempts(world: World) -> None:
    node_id = await world.add_node()
    job_id = await world.submit(max_attempts=2)
    for boot in ("a", "b"):
        await world.hello(node_id, BootId(boot))
        world.offers[node_id] = replace(world.offers[node_id], boot_id=BootId(boot))
        (grant,) = await world.grant()
        await world.accept(grant)
    await world.hello(node_id, BootId("c"))
    assert (await world.job(job_id)).status is JobStatus.ERROR
    await world.assert_counted()


async def test_an_unaccepted_lease_is_told_again_to_the_boot_that_it_was_granted_to(world: World) -> None:
    node_id = await world.add_node()
    await world.submit()
    (grant,) = await world.grant()
    assert await world.store.read(granting.unheard(node_id, BOOT, world.now)) == ([grant], [])
    assert await world.store.read(granting.unheard(node_id, BootId("boot-2"), world.now)) == ([], [])
    await world.accept(grant)
    assert await world.store.read(granting.unheard(node_id, BOOT, world.now)) == ([], [])


async def test_an_unaccepted_lease_ends_soon_and_costs_no_attempt(world: World) -> None:
    await world.add_node()
    job_id = await world.submit()
    await world.grant()
    world.clock.pass_seconds(9.999)
    assert await world.reap() == []
    world.clock.pass_seconds(0.001)
    assert len(await world.reap()) == 1
    task = await world.task(job_id)
    assert (task.state, task.spent) == (TaskState.WAITING, 0)


async def test_a_silent_node_costs_an_attempt_and_the_last_one_ends_the_job(world: World) -> None:
    await world.add_node()
    job_id = await world.submit(max_attempts=2)
    for status in (JobStatus.PROGRESSING, JobStatus.ERROR):
        (grant,) = await world.grant()
        await world.accept(grant)
        world.clock.pass_seconds(60)
        assert len(await world.reap()) == 1
        assert (await world.job(job_id)).status is status
    await world.assert_counted()


async def test_silence_of_work_that_was_asked_to_stop_stops_it(world: World) -> None:
    job_id, _ = await world.a_task(TaskState.STOPPING)
    world.clock.pass_seconds(60)
    await world.reap()
    assert (await world.job(job_id)).status is JobStatus.CANCELED
    await world.assert_counted()


async def test_the_reaper_spares_what_was_renewed_before_the_floor(world: World) -> None:
    await world.a_running_job()
    world.clock.pass_seconds(100)
    assert await world.reap(floor=world.now) == []
    assert len(await world.reap()) == 1


async def test_the_reaper_spares_the_running_work_of_a_braked_cluster_alone(world: World) -> None:
    await world.a_running_job()
    unaccepted = await world.submit()
    await world.grant()
    world.clock.pass_seconds(100)
    lost = await world.reap(braked=frozenset({CLUSTER}))
    assert [ended.job_id for ended in lost] == [unaccepted]
    assert len(await world.reap(braked=frozenset({ClusterId("elsewhere")}))) == 1


async def test_attempts_only_rise(world: World) -> None:
    await world.add_node()
    await world.submit()
    numbers = []
    for _ in range(4):
        (grant,) = await world.grant()
        numbers.append(grant.ref.attempt)
        await world.accept(grant)
        await world.report(grant, HandedBack(reason="it drains"))
    assert numbers == [1, 2, 3, 4]


async def test_results_that_cannot_become_visible_fail_the_job_and_keep_its_report(world: World) -> None:
    job_id, grant = await world.a_task(TaskState.PUBLISHING)
    await world.store.write(ending.unpublished(grant.ref.task_id, a_failure(), world.now))
    assert (await world.job(job_id)).status is JobStatus.ERROR
    assert (await world.report(grant, finished())).repeated
    await world.assert_counted()


async def test_a_lease_belongs_to_its_owner_until_somebody_ends_it(world: World) -> None:
    """Time alone takes nothing away: what nobody else was given may still be accepted and renewed."""
    await world.add_node()
    await world.submit()
    (grant,) = await world.grant()
    world.clock.pass_seconds(10.001)
    await world.accept(grant)
    world.clock.pass_seconds(60.001)
    assert await beat(world, grant) == "keep"
    world.clock.pass_seconds(59.999)
    assert await world.reap() == []


async def test_an_accept_after_the_deadline_was_enforced_is_stale(world: World) -> None:
    await world.add_node()
    await world.submit()
    (grant,) = await world.grant()
    world.clock.pass_seconds(10)
    await world.reap()
    with pytest.raises(StaleLease):
        await world.accept(grant)


async def test_nothing_but_the_owners_beats_renews_a_lease(world: World) -> None:
    job_id, grant = await world.a_running_job()
    world.clock.pass_seconds(30)
    for stranger in strangers(grant)[:3]:
        assert await beat(world, stranger) == "drop"
    with pytest.raises(StaleLease):
        await beat(world, strangers(grant)[3])
    await world.accept(grant)
    await world.store.read(dispatch.live_lease(grant.ref, grant.node_id))
    await world.store.write(jobs.stop(TENANT, job_id, world.now))
    world.clock.pass_seconds(30)
    assert len(await world.reap()) == 1
