"""What operators change about tenants."""

from __future__ import annotations

import pytest

from controlplane.store.operations import granting, identity
from shared.errors import AlreadyExists, NotFound
from shared.ids import TenantId
from tests.builders import finished
from tests.contract.store.world import OTHER_TENANT, TENANT, World


async def test_a_suspended_tenants_waiting_work_is_not_granted_and_the_others_is(world: World) -> None:
    await world.add_node()
    mine, theirs = await world.submit(TENANT), await world.submit(OTHER_TENANT)
    await world.store.write(identity.suspend_tenant(TENANT, world.now))
    assert [grant.job_id for grant in await world.grant()] == [theirs]
    assert not (await world.store.read(granting.outlook(world.now))).may_go
    await world.store.write(identity.resume_tenant(TENANT))
    assert (await world.store.read(granting.outlook(world.now))).may_go
    assert [grant.job_id for grant in await world.grant()] == [mine]


async def test_what_a_suspended_tenants_nodes_run_goes_on_to_its_end(world: World) -> None:
    job_id, grant = await world.a_running_job()
    await world.store.write(identity.suspend_tenant(TENANT, world.now))
    await world.report(grant, finished())
    await world.publish(grant)
    assert (await world.job(job_id)).status == "Complete"


async def test_suspending_again_keeps_the_first_time(world: World) -> None:
    first = await world.store.write(identity.suspend_tenant(TENANT, world.now))
    world.clock.pass_seconds(60)
    assert await world.store.write(identity.suspend_tenant(TENANT, world.now)) == first
    assert (await world.store.write(identity.resume_tenant(TENANT))).suspended_at is None


async def test_what_is_not_named_stays(world: World) -> None:
    await world.store.write(identity.update_tenant(TENANT, name="a", weight=3, rates={"list": 1, "read": 2}))
    changed = await world.store.write(identity.update_tenant(TENANT, name=None, weight=None, rates={"list": None}))
    assert (changed.name, changed.weight, changed.rates) == ("a", 3, '{"read":2}')


async def test_a_tenant_takes_no_name_of_another(world: World) -> None:
    other = await world.store.read(identity.tenant(OTHER_TENANT))
    with pytest.raises(AlreadyExists):
        await world.store.write(identity.update_tenant(TENANT, name=other.name, weight=None, rates={}))
    same = await world.store.write(identity.update_tenant(OTHER_TENANT, name=other.name, weight=2, rates={}))
    assert same.weight == 2


async def test_there_is_nothing_to_change_about_a_tenant_that_never_was(world: World) -> None:
    never = TenantId("never")
    for operation in (
        identity.suspend_tenant(never, world.now),
        identity.resume_tenant(never),
        identity.update_tenant(never, name="x", weight=None, rates={}),
    ):
        with pytest.raises(NotFound):
            await world.store.write(operation)
