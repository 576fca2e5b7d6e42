"""When silence is believed: the amnesty after a start, and the brake on a cluster that falls silent at once."""

from __future__ import annotations

import pytest

from controlplane.services.dispatch import Dispatcher
from controlplane.services.publishing import Publisher
from controlplane.services.reaper import Reaper
from controlplane.services.signals import Signals
from controlplane.settings import Settings
from controlplane.storage.links import Links
from controlplane.store.operations import dispatch
from shared.capacity import Demand
from shared.ids import NodeId
from shared.protocol import AttemptProgress
from tests.builders import some_progress
from tests.contract.store.world import LEASE_MS, World

SETTINGS = Settings(amnesty=300, brake=300, brake_share=0.55, lease=60)
WHOLE_NODE = Demand(cpu_threads=8, memory=1, scratch=1)


def a_reaper(world: World, settings: Settings = SETTINGS) -> Reaper:
    signals = Signals()
    dispatcher = Dispatcher(world.store, world.clock, signals, Links(b"secret", world.clock), settings)
    return Reaper(
        world.store, world.clock, dispatcher, Publisher(world.store, world.clock, signals, dispatcher), settings
    )


@pytest.fixture
def reaper(world: World) -> Reaper:
    return a_reaper(world, SETTINGS.model_copy(update={"amnesty": 0.0}))


async def working_nodes(world: World, count: int) -> list[dispatch.Grant]:
    """Nodes that each run a job of its own."""
    for number in range(count):
        await world.add_node(str(number))
        await world.submit(demand=WHOLE_NODE)
    grants = await world.grant()
    for grant in grants:
        await world.accept(grant)
    assert len(grants) == count
    return grants


async def beat(world: World, grants: list[dispatch.Grant]) -> None:
    for grant in grants:
        boot_id = world.offers[grant.node_id].boot_id
        said = (AttemptProgress(ref=grant.ref, progress=some_progress()),)
        await world.store.write(dispatch.beat(grant.node_id, boot_id, "{}", said, now=world.now, lease=LEASE_MS))


async def test_a_silent_node_is_reaped_when_its_lease_is_over(world: World, reaper: Reaper) -> None:
    await working_nodes(world, 1)
    world.clock.pass_seconds(59)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(1)
    assert await reaper.reap() == 1


async def test_silence_that_began_before_the_start_is_forgiven_for_a_while(world: World) -> None:
    await working_nodes(world, 1)
    world.clock.pass_seconds(120)
    reaper = a_reaper(world)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(299)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(1)
    assert await reaper.reap() == 1


async def test_silence_that_began_after_the_start_is_not_forgiven(world: World) -> None:
    grants = await working_nodes(world, 1)
    reaper = a_reaper(world)
    world.clock.pass_seconds(10)
    await beat(world, grants)
    world.clock.pass_seconds(60)
    assert await reaper.reap() == 1


async def test_an_unaccepted_lease_is_not_forgiven_after_a_start(world: World) -> None:
    await world.add_node()
    await world.submit()
    await world.grant()
    reaper = a_reaper(world)
    world.clock.pass_seconds(10)
    assert await reaper.reap() == 1


async def test_most_of_a_cluster_silent_at_once_is_probably_us(world: World, reaper: Reaper) -> None:
    grants = await working_nodes(world, 5)
    world.clock.pass_seconds(30)
    await beat(world, grants[:2])
    world.clock.pass_seconds(31)
    assert await reaper.reap() == 0
    for _ in range(9):
        world.clock.pass_seconds(29)
        await beat(world, grants[:2])
        assert await reaper.reap() == 0
    world.clock.pass_seconds(40)
    await beat(world, grants[:2])
    assert await reaper.reap() == 3


async def test_fewer_than_the_share_are_believed_to_be_away(world: World, reaper: Reaper) -> None:
    grants = await working_nodes(world, 5)
    world.clock.pass_seconds(30)
    await beat(world, grants[:3])
    world.clock.pass_seconds(31)
    assert await reaper.reap() == 2


async def test_a_cluster_of_three_has_no_brake(world: World, reaper: Reaper) -> None:
    await working_nodes(world, 3)
    world.clock.pass_seconds(61)
    assert await reaper.reap() == 3


async def test_the_brake_holds_again_when_the_cluster_was_well_in_between(world: World, reaper: Reaper) -> None:
    grants = await working_nodes(world, 4)
    world.clock.pass_seconds(61)
    assert await reaper.reap() == 0
    for _ in range(8):
        await beat(world, grants)
        assert await reaper.reap() == 0
        world.clock.pass_seconds(50)
    await beat(world, grants)
    world.clock.pass_seconds(61)
    assert await reaper.reap() == 0


async def test_a_reaped_job_goes_to_a_node_that_speaks(world: World, reaper: Reaper) -> None:
    (grant,) = await working_nodes(world, 1)
    speaking = await world.add_node("speaking")
    world.clock.pass_seconds(61)
    await reaper.reap()
    (again,) = await world.grant(speaking)
    assert (again.job_id, again.ref.attempt, again.node_id) == (grant.job_id, 2, NodeId("nd_speaking"))


async def test_silence_while_nobody_could_be_heard_is_forgiven_as_after_a_start(world: World) -> None:
    reaper = a_reaper(world)
    world.clock.pass_seconds(400)
    await reaper.reap()
    await working_nodes(world, 1)
    world.clock.pass_seconds(120)
    reaper.forgive_a_gap()
    assert await reaper.reap() == 0
    world.clock.pass_seconds(301)
    assert await reaper.reap() == 1
