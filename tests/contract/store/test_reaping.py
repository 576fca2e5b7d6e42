"""When silence is believed: the amnesty after a start, and the brake on a cluster that falls silent at once."""

from __future__ import annotations

import pytest

from controlplane.auth.content_keys import Seal
from controlplane.services.content_keys import ContentKeys
from controlplane.services.dispatch import Dispatcher
from controlplane.services.faulty import FaultyInputs
from controlplane.services.leases import Leases
from controlplane.services.orders import Orders
from controlplane.services.payloads import Payloads
from controlplane.services.publishing import Publisher
from controlplane.services.reaper import Reaper
from controlplane.services.signals import Signals
from controlplane.services.tempo import Tempo
from controlplane.settings import Settings
from controlplane.storage.links import Links
from controlplane.store.operations import dispatch, granting
from shared.capacity import Demand
from shared.ids import NodeId
from shared.protocol import AttemptProgress
from shared.statuses import TaskState
from tests.builders import some_progress
from tests.contract.store.world import LEASE_MS, World

SETTINGS = Settings(amnesty=300, brake=300, brake_share=0.55, lease=60)
WHOLE_NODE = Demand(cpu_threads=8, memory=1, scratch=1)


def a_reaper(world: World, settings: Settings = SETTINGS) -> Reaper:
    store, clock, signals = world.store, world.clock, Signals()
    payloads, content_keys = Payloads(store), ContentKeys(Seal(b"secret"))
    links, tempo, faulty = Links(b"secret", clock), Tempo(settings), FaultyInputs(clock, settings)
    orders = Orders(store, clock, signals, links, content_keys, payloads)
    leases = Leases(store, clock, signals, links, orders, tempo)
    dispatcher = Dispatcher(store, clock, signals, orders, leases, tempo, settings)
    publisher = Publisher(store, clock, signals, dispatcher, leases, payloads, faulty, settings)
    return Reaper(world.store, world.clock, dispatcher, publisher, tempo, settings)


async def started(world: World, settings: Settings = SETTINGS) -> Reaper:
    """A control plane that starts now."""
    reaper = a_reaper(world, settings)
    await reaper.forgive()
    return reaper


@pytest.fixture
def reaper(world: World) -> Reaper:
    return a_reaper(world, SETTINGS.model_copy(update={"amnesty": 0.0}))


async def working_nodes(world: World, count: int) -> list[granting.Grant]:
    """Nodes that each run a job of its own."""
    for number in range(count):
        await world.add_node(str(number))
        await world.submit(demand=WHOLE_NODE)
    grants = await world.grant()
    for grant in grants:
        await world.accept(grant)
    assert len(grants) == count
    return grants


async def beat(world: World, grants: list[granting.Grant]) -> None:
    for grant in grants:
        boot_id = world.offers[grant.node_id].boot_id
        said = (AttemptProgress(ref=grant.ref, progress=some_progress()),)
        await world.store.write(dispatch.beat(grant.node_id, boot_id, "{}", said, now=world.now, lease=LEASE_MS))


async def test_a_lease_ends_with_its_last_millisecond(world: World, reaper: Reaper) -> None:
    await working_nodes(world, 1)
    world.clock.pass_seconds(59.999)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(0.001)
    assert await reaper.reap() == 1


async def test_silence_that_began_before_the_start_is_forgiven_for_300_seconds(world: World) -> None:
    await working_nodes(world, 1)
    world.clock.pass_seconds(120)
    reaper = await started(world)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(299.999)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(0.001)
    assert await reaper.reap() == 1


async def test_a_lease_renewed_before_the_start_is_forgiven_and_one_renewed_at_it_is_not(world: World) -> None:
    before, at = await working_nodes(world, 2)
    await beat(world, [before])
    world.clock.pass_seconds(0.001)
    await beat(world, [at])
    reaper = await started(world)
    world.clock.pass_seconds(60)
    assert await reaper.reap() == 1
    assert (await world.task(before.job_id)).state is TaskState.RUNNING


async def test_silence_that_began_after_the_start_is_not_forgiven(world: World) -> None:
    grants = await working_nodes(world, 1)
    reaper = await started(world)
    world.clock.pass_seconds(10)
    await beat(world, grants)
    world.clock.pass_seconds(60)
    assert await reaper.reap() == 1


async def test_replicas_agree_on_what_is_forgiven(world: World) -> None:
    await working_nodes(world, 1)
    other = await started(world)
    world.clock.pass_seconds(200)
    await started(world)
    world.clock.pass_seconds(299.999)
    assert await other.reap() == 0
    world.clock.pass_seconds(0.001)
    assert await other.reap() == 1


async def test_an_unaccepted_lease_is_not_forgiven_after_a_start(world: World) -> None:
    await world.add_node()
    await world.submit()
    await world.grant()
    reaper = await started(world)
    world.clock.pass_seconds(10)
    assert await reaper.reap() == 1


async def test_most_of_a_cluster_silent_at_once_is_probably_us(world: World, reaper: Reaper) -> None:
    grants = await working_nodes(world, 5)
    world.clock.pass_seconds(30)
    await beat(world, grants[:2])
    assert await reaper.reap() == 0  # the brake is on from here, for 300 s
    for _ in range(10):
        world.clock.pass_seconds(29.999)
        await beat(world, grants[:2])
        assert await reaper.reap() == 0
    world.clock.pass_seconds(0.009)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(0.001)
    assert await reaper.reap() == 3


async def test_nodes_that_last_spoke_at_different_moments_are_cut_off_at_once(world: World, reaper: Reaper) -> None:
    """Beats are spread over their interval: the first lease ends long before the last."""
    grants = await working_nodes(world, 5)
    for grant in grants:
        world.clock.pass_seconds(2)
        await beat(world, [grant])
    for _ in range(36):  # cut off for three leases
        world.clock.pass_seconds(5)
        assert await reaper.reap() == 0
    await beat(world, grants)
    world.clock.pass_seconds(5)
    assert await reaper.reap() == 0


@pytest.mark.parametrize(("speaking", "reaped"), [(9, 0), (10, 10)])
async def test_the_brake_takes_hold_at_55_percent(world: World, reaper: Reaper, speaking: int, reaped: int) -> None:
    grants = await working_nodes(world, 20)
    for _ in range(2):
        world.clock.pass_seconds(30)
        await beat(world, grants[:speaking])
    assert await reaper.reap() == reaped


async def test_fewer_than_the_share_are_believed_to_be_away(world: World, reaper: Reaper) -> None:
    grants = await working_nodes(world, 5)
    for _ in range(2):
        world.clock.pass_seconds(30)
        await beat(world, grants[:3])
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
    reaper = await started(world)
    world.clock.pass_seconds(400)
    await reaper.reap()
    await working_nodes(world, 1)
    world.clock.pass_seconds(120)
    await reaper.forgive_a_gap()
    assert await reaper.reap() == 0
    world.clock.pass_seconds(299.999)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(0.001)
    assert await reaper.reap() == 1


async def test_sweeps_in_time_forgive_nothing(world: World) -> None:
    reaper = await started(world)
    await world.clock_passes(400, reaper.reap)
    grants = await working_nodes(world, 1)
    await world.clock_passes(59, reaper.forgive_a_gap, reaper.reap)
    assert (await world.task(grants[0].job_id)).state is TaskState.RUNNING
    await world.clock_passes(5, reaper.forgive_a_gap, reaper.reap)
    assert (await world.task(grants[0].job_id)).state is TaskState.WAITING


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_clock_that_is_set_takes_no_lease_and_keeps_none(world: World, step: float) -> None:
    """Nobody loses a lease by it, and the work of a node that is silent is given away as late as after a start."""
    reaper = await started(world)
    await world.clock_passes(400, reaper.reap)
    speaking, silent = await working_nodes(world, 2)
    await world.clock_passes(5, reaper.forgive_a_gap, reaper.reap)
    world.clock.set_by(step)
    for _ in range(31):
        await beat(world, [speaking])
        await world.clock_passes(10, reaper.forgive_a_gap, reaper.reap)
    assert (await world.task(speaking.job_id)).state is TaskState.RUNNING
    assert (await world.task(silent.job_id)).state is TaskState.WAITING


async def test_a_start_after_the_clock_was_set_back_shortens_what_would_never_end(world: World) -> None:
    (grant,) = await working_nodes(world, 1)
    world.clock.set_by(-3600)
    reaper = await started(world, SETTINGS.model_copy(update={"amnesty": 0.0}))
    world.clock.pass_seconds(59.999)
    assert await reaper.reap() == 0
    world.clock.pass_seconds(0.001)
    assert await reaper.reap() == 1
    assert (await world.task(grant.job_id)).state is TaskState.WAITING
