"""What is read off the database for Prometheus, on both."""

from __future__ import annotations

from controlplane.store.operations import audit, figures
from shared.capacity import Demand
from shared.jobspec import HardwarePreference
from tests.builders import a_capacity
from tests.contract.store.test_audit import an_act
from tests.contract.store.world import OTHER_TENANT, TENANT, World


async def test_an_empty_service_has_nothing_to_tell(world: World) -> None:
    found = await world.store.read(figures.read())
    assert (found.queued, found.running, found.tasks, found.nodes) == (0, 0, {}, {})
    assert await world.store.read(figures.oldest(0)) == ({}, None)
    assert found.unsealed_since is None


async def test_the_oldest_waiting_job_is_found_whatever_its_priority_and_lane(world: World) -> None:
    demand = Demand(cpu_threads=1, memory=1, scratch=1, nvenc_sessions=1)
    oldest = {}
    for hardware, tenant_id in ((HardwarePreference.REQUIRE, TENANT), (HardwarePreference.AVOID, OTHER_TENANT)):
        for number, priority in enumerate((-3, 0, 7, -3)):
            job_id = await world.submit(tenant_id, priority=priority, hardware=hardware, demand=demand)
            if number == 0:
                oldest[hardware] = int(job_id[:13])
            world.clock.pass_seconds(10)
    await world.submit(held=True)
    found, last = await world.store.read(figures.oldest(0))
    assert found == oldest
    assert last is not None
    assert await world.store.read(figures.oldest(last)) == ({}, None)
    assert (await world.store.read(figures.read())).queued == 9


async def test_what_nodes_hold_is_added_up_by_what_encodes(world: World) -> None:
    await world.add_node(capacity=a_capacity(threads=8, sessions=2))
    await world.submit(hardware=HardwarePreference.AVOID, demand=Demand(cpu_threads=3, memory=1, scratch=1))
    await world.submit(
        hardware=HardwarePreference.REQUIRE, demand=Demand(cpu_threads=1, memory=1, scratch=1, nvenc_sessions=2)
    )
    granted = [grant.granted for grant in await world.grant()]
    found = await world.store.read(figures.read())
    assert found.tasks == {"cpu": 1, "nvenc": 1}
    assert (found.threads, found.sessions) == (sum(demand.cpu_threads for demand in granted), 2)
    assert (found.running, found.nodes) == (2, {"Active": 1})


async def test_the_oldest_unsealed_row_tells_how_far_the_sealer_is_behind(world: World) -> None:
    await world.store.write(audit.add(an_act(), world.now))
    await world.store.write(audit.seal())
    world.clock.pass_seconds(10)
    since = world.now
    await world.store.write(audit.add(an_act(), since))
    world.clock.pass_seconds(10)
    await world.store.write(audit.add(an_act(), world.now))
    assert (await world.store.read(figures.read())).unsealed_since == since
