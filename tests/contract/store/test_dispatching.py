"""Who gets which task: one task to one node, fairly, and only where it fits."""

from __future__ import annotations

import asyncio
from collections import Counter

from controlplane.domain.fairness import ENCODER
from controlplane.store.operations import granting, jobs, resources
from controlplane.store.operations.granting import LANES_OF_A_TENANT
from controlplane.store.port import Op, call
from shared.capacity import Demand
from shared.errors import TranscoderError
from shared.ids import ClusterId, JobId, NodeId, TenantId
from shared.jobspec import HardwarePreference
from shared.protocol import Failed, HandedBack
from shared.statuses import PipelineStatus, TaskState
from tests.builders import a_capacity, a_failure, finished
from tests.contract.store.world import CLUSTER, OTHER_TENANT, TENANT, World
from tests.fields import shows
from tests.soak import times


def one_at_a_time() -> Demand:
    return Demand(cpu_threads=8, memory=1, scratch=1)


async def test_no_task_is_ever_given_twice(world: World) -> None:
    total, nodes = times(300, 3000), 32
    await asyncio.gather(*(world.submit() for _ in range(total)))
    names = [await world.add_node(str(number), capacity=a_capacity(threads=2)) for number in range(nodes)]
    granted: Counter[tuple[str, int]] = Counter()

    async def work(node_id: NodeId) -> None:
        while grants := await world.grant(node_id):
            for grant in grants:
                granted[grant.ref.task_id, grant.ref.attempt] += 1
                await world.accept(grant)
                await world.report(grant, finished())

    await asyncio.gather(*(work(name) for name in names))
    assert len(granted) == total
    assert set(granted.values()) == {1}
    assert {attempt for _, attempt in granted} == {1}
    await world.assert_counted()


async def test_a_node_is_given_no_more_than_it_has(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=8))
    for _ in range(5):
        await world.submit(demand=Demand(cpu_threads=3, memory=1, scratch=1))
    assert len(await world.grant()) == 2
    assert await world.grant() == []


async def test_a_task_that_wants_more_threads_than_a_node_has_takes_the_whole_node(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=8))
    await world.submit(demand=Demand(cpu_threads=60, memory=1, scratch=1))
    (grant,) = await world.grant()
    assert grant.granted.cpu_threads == 8


@shows("priority")
async def test_priority_goes_first_and_then_age(world: World) -> None:
    await world.add_node()
    low, first, second = (
        await world.submit(priority=-1, demand=one_at_a_time()),
        await world.submit(demand=one_at_a_time()),
        await world.submit(demand=one_at_a_time()),
    )
    high = await world.submit(priority=9, demand=one_at_a_time())
    order = []
    for _ in range(4):
        (grant,) = await world.grant()
        await world.accept(grant)
        await world.report(grant, finished())
        order.append(grant.job_id)
    assert order == [high, first, second, low]


async def test_a_flood_of_one_tenant_delays_another_by_no_more_than_one_job(world: World) -> None:
    await world.add_node()
    for _ in range(20):
        await world.submit(TENANT, demand=one_at_a_time())
    theirs = await world.submit(OTHER_TENANT, demand=one_at_a_time())
    order = []
    for _ in range(3):
        (grant,) = await world.grant()
        await world.accept(grant)
        world.clock.pass_seconds(10)
        await world.report(grant, finished())
        order.append(grant.job_id)
    assert theirs in order[:2]


async def test_turns_go_by_what_runs_and_not_by_how_many(world: World) -> None:
    ladder = Demand(cpu_threads=1, memory=1, scratch=1, pixel_rate=6 * ENCODER)
    await world.add_node(capacity=a_capacity(threads=5))
    for _ in range(4):
        await world.submit(TENANT, demand=ladder)
        await world.submit(OTHER_TENANT, demand=Demand(cpu_threads=1, memory=1, scratch=1, pixel_rate=ENCODER))
    await world.grant()
    running = {row["id"]: row["running"] for row in await world.database.sql("SELECT id, running FROM tenants")}
    assert (running[TENANT], running[OTHER_TENANT]) == (1, 4)
    await world.assert_counted()


async def test_a_priority_counts_against_others_up_to_the_tenant_s_ceiling(world: World) -> None:
    await world.add_node()
    theirs = await world.submit(OTHER_TENANT, demand=one_at_a_time())
    urgent = await world.submit(TENANT, priority=50, demand=one_at_a_time())
    for ceiling, first in ((0, theirs), (50, urgent)):
        await world.database.sql(f"UPDATE tenants SET priority_ceiling = {ceiling} WHERE id = '{TENANT}'")
        (grant,) = await world.grant()
        assert grant.job_id == first
        await world.report(grant, HandedBack(reason="it drains"))


async def test_a_tenant_that_asks_for_something_else_in_every_job_makes_no_round_long(world: World) -> None:
    await world.add_node(labels={"disk": "ssd"})
    for number in range(300):
        await world.submit(labels={"disk": str(number)})
    mine = await world.submit(labels={"disk": "ssd"})
    theirs = await world.submit(OTHER_TENANT)
    assert await world.store.read(granting.is_crowded())
    granted = []
    for _ in range(12):
        granted += [grant.job_id for grant in await world.grant()]
        assert theirs in granted, "others are not made to wait"
    assert mine in granted, "other lanes are looked at in every round"


async def test_every_lane_has_its_round_however_many_a_tenant_has(world: World) -> None:
    """Each of 300 lanes at least once in twelve rounds of a hundred, at whichever number they begin; none twice in one."""
    submitted = {await world.submit(labels={"disk": str(number)}) for number in range(300)}
    theirs = await world.submit(OTHER_TENANT)

    def heads(number: int) -> Op[list[JobId]]:
        start = granting.start(number)
        rows = yield call("heads", now=world.now, start=start, most=LANES_OF_A_TENANT)
        return [JobId(row["id"].removesuffix("-0")) for row in rows]

    for first in (0, 1000, 123_456_789):
        seen: set[JobId] = set()
        for number in range(first, first + 12):
            looked_at = await world.store.read(heads(number))
            assert len(looked_at) == len(set(looked_at)) == LANES_OF_A_TENANT + 1
            assert theirs in looked_at
            seen |= set(looked_at)
        assert seen == submitted | {theirs}


async def test_lanes_that_are_no_more_than_a_round_looks_at_are_all_looked_at_in_each(world: World) -> None:
    await world.add_node(labels={"disk": "7"})
    for number in range(LANES_OF_A_TENANT):
        await world.submit(labels={"disk": str(number)})
    assert not await world.store.read(granting.is_crowded())
    assert len(await world.grant()) == 1


async def test_a_task_too_large_for_every_node_holds_up_none_behind_it(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=8))
    await world.submit(demand=Demand(cpu_threads=1, memory=1, scratch=1 << 60))
    behind = await world.submit()
    (grant,) = await world.grant()
    assert grant.job_id == behind


async def test_a_tenant_of_twice_the_weight_runs_twice_as_much(world: World) -> None:
    heavy = TenantId("100000000003")
    await world.add_tenant(heavy, weight=2)
    for _ in range(12):
        await world.submit(TENANT)
        await world.submit(heavy)
    await world.add_node(capacity=a_capacity(threads=9))
    await world.grant()
    running = {row["id"]: row["running"] for row in await world.database.sql("SELECT id, running FROM tenants")}
    assert (running[heavy], running[TENANT]) == (6, 3)


async def test_a_paused_pipeline_gives_nothing_and_goes_on_when_resumed(world: World) -> None:
    await world.add_node()
    await world.submit()
    for status, granted in ((PipelineStatus.PAUSED, 0), (PipelineStatus.ACTIVE, 1)):
        await world.store.write(resources.set_pipeline_status(TENANT, world.pipelines[TENANT], status))
        assert len(await world.grant()) == granted


@shows("placement.cluster_id")
async def test_work_goes_only_to_the_cluster_that_was_asked_for(world: World) -> None:
    london = ClusterId("london-1")
    await world.store.write(resources.add_cluster(london, "London", world.now))
    here = await world.add_node("here", cluster_id=CLUSTER)
    there = await world.add_node("there", cluster_id=london)
    await world.submit(cluster_id="london-1")
    assert await world.grant(here) == []
    (grant,) = await world.grant(here, there)
    assert grant.node_id == there


@shows("placement.labels")
async def test_work_goes_only_to_nodes_that_wear_every_label(world: World) -> None:
    plain = await world.add_node("plain")
    half = await world.add_node("half", labels={"disk": "ssd", "site": "b"})
    whole = await world.add_node("whole", labels={"disk": "ssd", "site": "a"})
    await world.submit(labels={"disk": "ssd", "site": "a"})
    assert await world.grant(plain, half) == []
    (grant,) = await world.grant(plain, half, whole)
    assert grant.node_id == whole


@shows("placement.hardware")
async def test_required_hardware_waits_for_a_card_and_avoided_hardware_leaves_it(world: World) -> None:
    demand = Demand(cpu_threads=2, memory=1, scratch=1, nvenc_sessions=1)
    without = await world.add_node("without")
    with_card = await world.add_node("with", capacity=a_capacity(sessions=1))
    await world.submit(hardware=HardwarePreference.REQUIRE, demand=demand)
    assert await world.grant(without) == []
    (required,) = await world.grant(without, with_card)
    assert (required.node_id, required.granted.nvenc_sessions) == (with_card, 1)
    await world.submit(hardware=HardwarePreference.AVOID, demand=demand)
    (avoided,) = await world.grant(with_card)
    assert avoided.granted.nvenc_sessions == 0


async def test_preferred_hardware_is_used_where_it_is_free_and_done_without_otherwise(world: World) -> None:
    demand = Demand(cpu_threads=2, memory=1, scratch=1, nvenc_sessions=1)
    await world.add_node(capacity=a_capacity(sessions=1))
    await world.submit(demand=demand)
    await world.submit(demand=demand)
    grants = await world.grant()
    assert sorted(grant.granted.nvenc_sessions for grant in grants) == [0, 1]


async def test_a_node_that_is_drained_or_started_anew_gets_nothing_for_an_older_poll(world: World) -> None:
    node_id = await world.add_node()
    await world.submit()
    await world.database.sql(f"UPDATE nodes SET state = 'Draining' WHERE id = '{node_id}'")
    assert await world.grant() == []
    await world.database.sql(f"UPDATE nodes SET state = 'Active', boot_id = 'another' WHERE id = '{node_id}'")
    assert await world.grant() == []


async def test_a_failed_attempt_waits_out_its_delay(world: World) -> None:
    await world.add_node()
    job_id, grant = await world.a_running_job()
    await world.report(grant, Failed(failure=a_failure()))
    world.clock.pass_seconds(0.999)
    assert await world.grant() == []
    assert (await world.task(job_id)).state is TaskState.WAITING
    world.clock.pass_seconds(0.001)
    (again,) = await world.grant()
    assert again.ref.attempt == 2


async def test_a_delayed_task_does_not_hold_up_those_behind_it(world: World) -> None:
    await world.add_node()
    _, grant = await world.a_running_job()
    await world.report(grant, Failed(failure=a_failure()))
    behind = await world.submit()
    (next_grant,) = await world.grant()
    assert next_grant.job_id == behind


async def test_work_handed_back_goes_at_once_and_costs_no_attempt(world: World) -> None:
    await world.add_node()
    job_id, grant = await world.a_running_job()
    await world.report(grant, HandedBack(reason="it drains"))
    (again,) = await world.grant()
    assert again.ref.attempt == 2
    assert (await world.task(job_id)).spent == 0


async def test_a_cancel_and_an_accept_never_both_win(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=1000))
    for number in range(times(40, 400)):
        job_id = await world.submit()
        (grant,) = await world.grant()
        deeds = [world.accept(grant), world.store.write(jobs.cancel(TENANT, job_id, world.now))]
        won = await asyncio.gather(*(deeds if number % 2 else reversed(deeds)), return_exceptions=True)
        assert [isinstance(outcome, TranscoderError) for outcome in won].count(True) == 1
        assert ("progressing" in await world.events(job_id)) is not ("canceled" in await world.events(job_id))
    await world.assert_counted()


async def test_a_cancel_and_a_grant_leave_nothing_running(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=1000))
    for _ in range(times(20, 400)):
        job_id = await world.submit()
        grants, _ = await asyncio.gather(world.grant(), world.store.write(jobs.cancel(TENANT, job_id, world.now)))
        accepted = await asyncio.gather(*(world.accept(grant) for grant in grants), return_exceptions=True)
        assert all(isinstance(outcome, TranscoderError) for outcome in accepted)
        assert await world.grant() == []
    await world.assert_counted()


async def test_small_tasks_do_not_pass_a_large_one_for_ever(world: World) -> None:
    large = Demand(cpu_threads=4, memory=1, scratch=1)
    small = Demand(cpu_threads=1, memory=1, scratch=1)
    await world.add_node(capacity=a_capacity(threads=4))
    await world.submit(OTHER_TENANT, demand=small)
    (running,) = await world.grant()
    await world.accept(running)
    first = await world.submit(demand=large)
    await world.submit(OTHER_TENANT, demand=small)
    assert await world.grant() == [], "the room is kept for the one whose turn it is"
    await world.report(running, finished())
    await world.publish(running)
    (granted,) = await world.grant()
    assert granted.job_id == first
