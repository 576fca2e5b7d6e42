"""What an attempt's end costs the job and the node, by whose fault it was."""

from __future__ import annotations

from typing import Literal

import pytest

from controlplane.store.operations import dispatch, trust
from controlplane.store.operations.granting import Grant
from shared.capacity import Demand
from shared.errors import StaleLease
from shared.failures import Cause, FailureCode
from shared.ids import BootId, JobId, NodeId
from shared.protocol import Failed, HandedBack, Interruption
from shared.statuses import JobStatus, NodeTrust, Phase, TaskState
from tests.builders import a_capacity, a_failure, finished
from tests.contract.store.world import LEASE_MS, World

OWN_FAULT = Failed(failure=a_failure(Cause.NODE))
UNKNOWN = Failed(failure=a_failure(Cause.UNKNOWN))


def cut_off(grant: Grant, phase: Phase = Phase.ENCODING, by: Literal["kill", "reboot"] = "kill") -> list[Interruption]:
    return [Interruption(ref=grant.ref, by=by, phase=phase)]


async def restart(world: World, grant: Grant, *interrupted: Interruption) -> None:
    """The agent of a node starts again, and knows what it did before."""
    boot_id = world.offers[grant.node_id].boot_id
    await world.hello(grant.node_id, BootId(f"{boot_id}+"), before=[boot_id], interrupted=interrupted)


async def granted(world: World, *node_ids: NodeId) -> Grant:
    (grant,) = await world.grant(*node_ids)
    await world.accept(grant)
    return grant


async def trusted(world: World, node_id: NodeId) -> NodeTrust:
    return (await world.store.read(dispatch.node(node_id))).trust


async def node_events(world: World, node_id: NodeId) -> list[str]:
    return [event.type for event in await world.store.read(trust.events(node_id, 0, 1000))]


async def code_of(world: World, job_id: JobId) -> FailureCode:
    job = await world.job(job_id)
    assert job.status is JobStatus.ERROR
    assert job.result is not None
    return FailureCode(int(job.result.split('"code":')[1].split(",")[0]))


class TestJobs:
    async def test_a_node_s_fault_spends_no_attempt(self, world: World) -> None:
        await world.add_node()
        job_id = await world.submit(max_attempts=1)
        for faults in (1, 2):
            grant = await granted(world)
            await world.report(grant, OWN_FAULT)
            task = await world.task(job_id)
            assert (task.state, task.spent, task.node_faults) == (TaskState.WAITING, 0, faults)
            world.clock.pass_seconds(301)
        await world.report(await granted(world), finished())
        assert (await world.task(job_id)).state is TaskState.PUBLISHING
        await world.assert_counted()

    async def test_nodes_faults_come_to_an_end(self, world: World) -> None:
        await world.add_node()
        job_id = await world.submit()
        for _ in range(10):
            world.clock.pass_seconds(301)
            await world.report(await granted(world), OWN_FAULT)
        assert await code_of(world, job_id) is FailureCode.OUT_OF_ATTEMPTS
        await world.assert_counted()

    async def test_the_input_s_fault_is_final_and_no_mark_on_the_node(self, world: World) -> None:
        job_id, grant = await world.a_running_job()
        await world.report(grant, Failed(failure=a_failure(Cause.INPUT)))
        assert (await world.job(job_id)).status is JobStatus.ERROR
        assert "fault" not in await node_events(world, grant.node_id)

    async def test_an_unknown_cause_waits_longer_each_time_and_spends_attempts(self, world: World) -> None:
        await world.add_node()
        job_id = await world.submit(max_attempts=3)
        for pause in (1, 4):
            await world.report(await granted(world), UNKNOWN)
            world.clock.pass_seconds(pause - 0.001)
            assert await world.grant() == []
            world.clock.pass_seconds(0.001)
        await world.report(await granted(world), UNKNOWN)
        assert (await world.job(job_id)).status is JobStatus.ERROR

    async def test_another_node_is_preferred_while_there_is_one(self, world: World) -> None:
        first = await world.add_node("first")
        job_id = await world.submit(max_attempts=9)
        grant = await granted(world)
        other = await world.add_node("other")
        for expected in (other, first, other):
            await world.report(grant, UNKNOWN)
            world.clock.pass_seconds(60)
            failed_on = (await world.task(job_id)).failed_on
            grant = await granted(world, *((first, other) if failed_on.count("nd_") == 1 else (expected,)))
            assert grant.node_id == expected

    async def test_a_node_that_failed_gets_it_again_when_no_other_could_run_it(self, world: World) -> None:
        await world.add_node("small", capacity=a_capacity().model_copy(update={"memory": 1 << 30}))
        large = await world.add_node("large")
        await world.submit(demand=Demand(cpu_threads=1, memory=1 << 33, scratch=1))
        await world.report(await granted(world, large), UNKNOWN)
        world.clock.pass_seconds(60)
        assert (await granted(world)).node_id == large


class TestRestarts:
    async def test_a_reboot_spends_nothing_and_the_work_waits_at_once(self, world: World) -> None:
        job_id, grant = await world.a_running_job()
        await restart(world, grant, *cut_off(grant, by="reboot"))
        task = await world.task(job_id)
        assert (task.state, task.spent, task.node_faults, task.killed_on) == (TaskState.WAITING, 0, 1, "[]")
        assert (await granted(world)).ref.attempt == 2

    async def test_a_kill_while_fetching_spends_nothing(self, world: World) -> None:
        job_id, grant = await world.a_running_job()
        await restart(world, grant, *cut_off(grant, Phase.FETCHING))
        task = await world.task(job_id)
        assert (task.spent, task.killed_on) == (0, "[]")

    async def test_a_kill_while_encoding_spends_an_attempt_and_makes_it_suspect(self, world: World) -> None:
        job_id, grant = await world.a_running_job()
        await restart(world, grant, *cut_off(grant))
        task = await world.task(job_id)
        assert (task.state, task.spent, task.killed_on) == (TaskState.WAITING, 1, '["nd_one"]')

    async def test_without_a_word_of_it_an_attempt_is_spent(self, world: World) -> None:
        job_id, grant = await world.a_running_job()
        await restart(world, grant)
        assert (await world.task(job_id)).spent == 1

    async def test_what_was_not_accepted_costs_nothing_however_it_ended(self, world: World) -> None:
        await world.add_node()
        job_id = await world.submit()
        (grant,) = await world.grant()
        await restart(world, grant, *cut_off(grant))
        task = await world.task(job_id)
        assert (task.state, task.spent, task.killed_on) == (TaskState.WAITING, 0, "[]")

    async def test_what_was_to_be_stopped_has_stopped(self, world: World) -> None:
        job_id, grant = await world.a_task(TaskState.STOPPING)
        await restart(world, grant, *cut_off(grant))
        assert (await world.job(job_id)).status is JobStatus.CANCELED

    async def test_an_interruption_of_another_lease_tells_nothing(self, world: World) -> None:
        job_id, grant = await world.a_running_job()
        stale = cut_off(grant)[0].model_copy(update={"ref": grant.ref.model_copy(update={"lease_id": "other"})})
        await restart(world, grant, stale)
        assert (await world.task(job_id)).killed_on == "[]"

    async def test_a_report_in_the_outbox_goes_before_what_the_journal_says(self, world: World) -> None:
        job_id, grant = await world.a_running_job()
        start = dispatch.Start(BootId("b"), (), (grant.ref,), tuple(cut_off(grant)))
        assert await world.store.write(dispatch.hello(grant.node_id, start, "{}", now=world.now, lease=60_000)) == []
        await world.report(grant, finished())
        assert (await world.task(job_id)).state is TaskState.PUBLISHING


class TestPoison:
    async def test_a_suspect_gets_a_node_that_does_nothing_else_and_keeps_it(self, world: World) -> None:
        await world.add_node("one")
        suspect, grant = await world.a_running_job()
        await restart(world, grant, *cut_off(grant))
        two = await world.add_node("two")
        await world.submit(priority=1)
        busy = await granted(world, two)
        assert await world.grant(two) == []  # it waits until the node is idle, and nothing passes it there
        await world.submit()
        assert await world.grant(two) == []
        await world.report(busy, finished())
        alone = await granted(world, two)
        assert alone.job_id == suspect
        assert await world.grant(two) == []
        await world.report(alone, finished())
        assert len(await world.grant(two)) == 1

    async def test_work_that_killed_the_agents_of_two_nodes_is_quarantined(self, world: World) -> None:
        await world.add_node("one")
        job_id, grant = await world.a_running_job(max_attempts=9)
        await restart(world, grant, *cut_off(grant))
        two = await world.add_node("two")
        grant = await granted(world)
        assert grant.node_id == two
        await restart(world, grant, *cut_off(grant))
        assert await code_of(world, job_id) is FailureCode.QUARANTINED
        await world.assert_counted()

    async def test_innocent_work_beside_it_finishes_on_its_own(self, world: World) -> None:
        node_id = await world.add_node()
        poison, innocent = await world.submit(), await world.submit()
        grants = await world.grant()
        for grant in grants:
            await world.accept(grant)
        both = [interruption for grant in grants for interruption in cut_off(grant)]
        await restart(world, grants[0], *both)
        alone = await granted(world)
        assert alone.job_id == poison
        await restart(world, alone, *cut_off(alone))
        (last,) = await world.grant(node_id)
        await world.accept(last)
        assert last.job_id == poison
        await restart(world, last, *cut_off(last))
        assert (await world.job(poison)).status is JobStatus.ERROR
        last = await granted(world)
        await world.report(last, finished())
        assert (await world.task(innocent)).state is TaskState.PUBLISHING


class TestBreaker:
    async def fail(self, world: World, times: int) -> NodeId:
        for _ in range(times):
            await world.submit()
            grant = await granted(world)
            await world.report(grant, OWN_FAULT)
        return grant.node_id

    async def test_three_faults_in_ten_minutes_set_a_node_aside(self, world: World) -> None:
        await world.add_node()
        node_id = await self.fail(world, 2)
        assert await trusted(world, node_id) is NodeTrust.GOOD
        await self.fail(world, 1)
        assert await trusted(world, node_id) is NodeTrust.SET_ASIDE
        assert await node_events(world, node_id) == ["started", "fault", "fault", "fault", "set_aside"]
        assert await world.grant() == []

    async def test_faults_further_apart_set_nothing_aside(self, world: World) -> None:
        node_id = await world.add_node()
        await world.submit()
        for _ in range(5):
            await world.report(await granted(world), OWN_FAULT)
            world.clock.pass_seconds(300)
        assert await trusted(world, node_id) is NodeTrust.GOOD

    async def test_after_the_pause_it_gets_one_task_and_success_ends_the_doubt(self, world: World) -> None:
        await world.add_node()
        node_id = await self.fail(world, 3)
        world.clock.pass_seconds(299.999)
        assert await world.grant() == []
        world.clock.pass_seconds(0.001)
        canary = await granted(world)
        assert await trusted(world, node_id) is NodeTrust.ON_TRIAL
        assert await world.grant() == []
        await world.report(canary, finished())
        assert await trusted(world, node_id) is NodeTrust.GOOD
        assert len(await world.grant()) == 2
        assert (await node_events(world, node_id))[-2:] == ["on_trial", "trusted_again"]

    async def test_a_fault_on_trial_sets_it_aside_for_another_pause(self, world: World) -> None:
        await world.add_node()
        node_id = await self.fail(world, 3)
        world.clock.pass_seconds(300)
        await world.report(await granted(world), OWN_FAULT)
        assert await trusted(world, node_id) is NodeTrust.SET_ASIDE
        world.clock.pass_seconds(299.999)
        assert await world.grant() == []
        world.clock.pass_seconds(0.001)
        assert len(await world.grant()) == 1

    async def test_a_trial_that_proved_nothing_is_followed_by_another(self, world: World) -> None:
        await world.add_node()
        await self.fail(world, 3)
        world.clock.pass_seconds(300)
        await world.report(await granted(world), HandedBack(reason="it drains"))
        assert len(await world.grant()) == 1

    async def test_faults_before_the_trial_are_not_held_against_it_twice(self, world: World) -> None:
        await world.add_node()
        node_id = await self.fail(world, 3)
        world.clock.pass_seconds(300)
        await world.report(await granted(world), finished())
        world.clock.pass_seconds(60)
        await world.report((await world.grant())[0], OWN_FAULT)
        assert await trusted(world, node_id) is NodeTrust.GOOD

    async def test_work_waits_for_no_node_that_is_set_aside(self, world: World) -> None:
        await world.add_node("bad")
        await self.fail(world, 3)
        good = await world.add_node("good")
        world.clock.pass_seconds(60)
        assert {grant.node_id for grant in await world.grant()} == {good}

    async def test_an_operator_who_resumes_a_node_trusts_it_again(self, world: World) -> None:
        await world.add_node()
        node_id = await self.fail(world, 3)
        await world.store.write(trust.vouched_for(node_id, world.now))
        world.clock.pass_seconds(60)
        assert len(await world.grant()) == 3


class TestClones:
    """A machine, and a copy of its disk."""

    async def hears(self, world: World, node_id: NodeId, boot: str) -> None:
        with pytest.raises(StaleLease):
            await world.store.write(dispatch.beat(node_id, BootId(boot), "{}", (), now=world.now, lease=60_000))
        await world.store.write(trust.older_start_speaks(node_id, BootId(boot), now=world.now, lease=LEASE_MS))

    async def beats(self, world: World, node_id: NodeId, boot: str) -> None:
        await world.store.write(dispatch.beat(node_id, BootId(boot), "{}", (), now=world.now, lease=60_000))

    async def a_node(self, world: World) -> NodeId:
        node_id = await world.add_node()
        await world.hello(node_id, BootId("a1"), before=["boot-1-of-one"])
        return node_id

    async def test_two_machines_that_take_turns_are_found_out(self, world: World) -> None:
        node_id = await self.a_node(world)
        await world.hello(node_id, BootId("b1"), before=["a1"])
        await self.hears(world, node_id, "a1")  # it is told, ends, and is started again
        assert await trusted(world, node_id) is NodeTrust.GOOD
        await world.hello(node_id, BootId("a2"), before=["a1"])
        await self.hears(world, node_id, "b1")
        assert await trusted(world, node_id) is NodeTrust.CLONED
        assert (await node_events(world, node_id)).count("cloned") == 1
        await world.submit()
        assert await world.grant() == []

    async def test_a_copy_of_an_older_disk_is_found_out_by_the_first_word_of_the_other(self, world: World) -> None:
        node_id = await self.a_node(world)
        await world.hello(node_id, BootId("b1"), before=["boot-1-of-one"])
        assert await trusted(world, node_id) is NodeTrust.GOOD
        await self.hears(world, node_id, "a1")
        assert await trusted(world, node_id) is NodeTrust.CLONED

    async def test_a_credential_that_was_carried_elsewhere_is_found_out_when_both_are_alive(self, world: World) -> None:
        node_id = await self.a_node(world)
        await world.hello(node_id, BootId("b1"), before=[])
        await self.hears(world, node_id, "a1")
        assert await trusted(world, node_id) is NodeTrust.CLONED

    async def test_a_machine_that_was_set_up_again_is_no_clone(self, world: World) -> None:
        node_id = await self.a_node(world)
        await world.hello(node_id, BootId("b1"), before=[])
        for number in range(1, 4):
            await self.beats(world, node_id, f"b{number}")
            await world.hello(node_id, BootId(f"b{number + 1}"), before=[f"b{number}"])
        assert await trusted(world, node_id) is NodeTrust.GOOD

    async def test_a_restart_is_no_clone_even_when_messages_of_the_old_start_come_late(self, world: World) -> None:
        node_id = await self.a_node(world)
        for number in range(1, 30):
            await world.hello(node_id, BootId(f"a{number + 1}"), before=[f"a{number}"])
            await self.hears(world, node_id, f"a{number}")
            await self.beats(world, node_id, f"a{number + 1}")
        assert await trusted(world, node_id) is NodeTrust.GOOD

    async def test_starts_whose_hello_or_answer_was_lost_are_no_clones(self, world: World) -> None:
        node_id = await self.a_node(world)
        await world.hello(node_id, BootId("a4"), before=["a1", "a2", "a3"])
        await self.hears(world, node_id, "a1")
        await world.hello(node_id, BootId("a6"), before=["a1", "a2", "a3", "a4", "a5"])
        await self.hears(world, node_id, "a4")
        assert await trusted(world, node_id) is NodeTrust.GOOD

    async def test_a_hello_that_comes_after_the_next_one_changes_nothing(self, world: World) -> None:
        node_id = await self.a_node(world)
        await world.hello(node_id, BootId("a3"), before=["a1", "a2"])
        with pytest.raises(StaleLease):
            await world.hello(node_id, BootId("a2"), before=["a1"])
        await self.beats(world, node_id, "a3")
        assert await trusted(world, node_id) is NodeTrust.GOOD

    async def test_a_resumed_node_is_trusted_until_the_clone_speaks_again(self, world: World) -> None:
        await self.test_two_machines_that_take_turns_are_found_out(world)
        node_id = NodeId("nd_one")
        await world.store.write(trust.vouched_for(node_id, world.now))
        assert await trusted(world, node_id) is NodeTrust.GOOD
        await world.hello(node_id, BootId("b2"), before=["b1", "a1"])
        await self.hears(world, node_id, "a2")
        assert await trusted(world, node_id) is NodeTrust.CLONED

    async def test_of_starts_that_tell_nothing_of_their_past_the_older_must_not_outlive_a_lease(
        self, world: World
    ) -> None:
        node_id = await world.add_node()
        await world.hello(node_id, BootId("b1"))
        world.clock.pass_seconds(60)
        await self.hears(world, node_id, "boot-1-of-one")
        assert await trusted(world, node_id) is NodeTrust.GOOD
        world.clock.pass_seconds(0.001)
        await self.hears(world, node_id, "boot-1-of-one")
        assert await trusted(world, node_id) is NodeTrust.CLONED

    async def test_a_start_that_nobody_greeted_proves_nothing(self, world: World) -> None:
        node_id = await self.a_node(world)
        world.clock.pass_seconds(3600)
        await self.hears(world, node_id, "never heard of")
        assert await trusted(world, node_id) is NodeTrust.GOOD
