"""Users, and the keys that go with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controlplane.domain.permissions import Role
from controlplane.domain.quota import Quota
from controlplane.store.operations import identity, quotas
from controlplane.store.records import User
from shared.errors import InUse, NotFound
from shared.ids import KeyId, TenantId, UserId
from tests.contract.store.world import OTHER_TENANT, TENANT, World


async def add(world: World, name: str, tenant_id: TenantId | None = TENANT, role: Role = Role.TENANT_USER) -> User:
    return await world.store.write(
        identity.add_user(User(UserId(f"us_{name}"), tenant_id, name, role, "[]", world.now))
    )


async def add_key(world: World, user: User, name: str) -> None:
    await world.store.write(
        identity.add_key(
            KeyId(name),
            user_id=user.id,
            tenant_id=user.tenant_id,
            label="",
            secret_hash="hash",
            expires_at=None,
            now=world.now,
        )
    )


async def keys_in_use(world: World) -> int:
    (line,) = [line for line in await world.store.read(quotas.read(TENANT, world.now)) if line.quota is Quota.KEYS]
    return line.used


@pytest.mark.parametrize("owner", [TENANT, None])
async def test_a_tenants_users_and_the_operators_are_apart(world: World, owner: TenantId | None) -> None:
    user = await add(world, "ada", owner, Role.TENANT_USER if owner else Role.OPERATOR)
    assert await world.store.read(identity.user(owner, user.id)) == user
    assert user in await world.store.read(identity.users(owner, "", 100))
    for other in {TENANT, OTHER_TENANT, None} - {owner}:
        assert user not in await world.store.read(identity.users(other, "", 100))
        with pytest.raises(NotFound):
            await world.store.read(identity.user(other, user.id))
        with pytest.raises(NotFound):
            await world.store.write(identity.delete_user(other, user.id))
        with pytest.raises(NotFound):
            await world.store.write(identity.update_user(other, user.id, lambda found: found))
    assert await world.store.read(identity.user(owner, user.id)) == user


@pytest.mark.parametrize("owner", [TENANT, None])
async def test_keys_are_found_by_their_owner_and_by_user(world: World, owner: TenantId | None) -> None:
    role = Role.TENANT_USER if owner else Role.OPERATOR
    ada, bob = await add(world, "ada", owner, role), await add(world, "bob", owner, role)
    await add_key(world, ada, "k1")
    await add_key(world, bob, "k2")
    listed = await world.store.read(identity.keys(owner, None, "", 100))
    assert {key.id: key.user_id for key in listed} == {"k1": ada.id, "k2": bob.id}
    assert [key.id for key in await world.store.read(identity.keys(owner, bob.id, "", 100))] == ["k2"]
    assert (await world.store.read(identity.key(owner, KeyId("k1")))).user_id == ada.id
    for operation in (
        identity.key(OTHER_TENANT, KeyId("k1")),
        identity.revoke_key(OTHER_TENANT, KeyId("k1"), world.now),
    ):
        with pytest.raises(NotFound):
            await world.store.write(operation)
    await world.store.write(identity.revoke_key(owner, KeyId("k1"), world.now))


async def test_a_deleted_user_takes_its_keys_along_and_gives_back_what_they_counted(world: World) -> None:
    ada = await add(world, "ada")
    before = await keys_in_use(world)
    for name in ("k1", "k2", "k3"):
        await add_key(world, ada, name)
    await world.store.write(identity.revoke_key(TENANT, KeyId("k3"), world.now))
    assert await keys_in_use(world) == before + 2
    await world.store.write(identity.delete_user(TENANT, ada.id))
    assert await keys_in_use(world) == before
    assert await world.store.read(identity.key_holder(KeyId("k1"))) is None


async def test_somebody_who_may_let_others_in_stays(world: World) -> None:
    first = UserId(f"us_{TENANT}")
    await add(world, "ada")
    admin = await world.store.read(identity.user(TENANT, first))
    demoting = identity.update_user(TENANT, first, lambda found: replace(found, role=Role.READ_ONLY))
    for operation in (identity.delete_user(TENANT, first), demoting):
        with pytest.raises(InUse):
            await world.store.write(operation)
    assert await world.store.read(identity.user(TENANT, first)) == admin
    await add(world, "eve", role=Role.TENANT_ADMIN)
    await world.store.write(identity.delete_user(TENANT, first))
    assert await world.store.read(identity.first_admin(TENANT)) == "us_eve"


async def test_of_two_admins_who_delete_each_other_at_once_one_stays(world: World) -> None:
    eve = await add(world, "eve", role=Role.TENANT_ADMIN)
    both = (UserId(f"us_{TENANT}"), eve.id)
    deleting = [world.store.write(identity.delete_user(TENANT, user_id)) for user_id in both]
    results = await asyncio.gather(*deleting, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["InUse", "NoneType"]


async def test_a_key_brings_what_its_user_may_do(world: World) -> None:
    permissions = '[{"actions":["jobs:*"],"resources":["*"]}]'
    ada = await add(world, "ada")
    await add_key(world, ada, "k1")
    await world.store.write(identity.update_user(TENANT, ada.id, lambda found: replace(found, permissions=permissions)))
    await world.store.write(
        identity.update_tenant(TENANT, name=None, weight=None, priority_ceiling=None, rates={"list": 5})
    )
    holder = await world.store.read(identity.key_holder(KeyId("k1")))
    assert holder is not None
    assert (holder.permissions, holder.rates, holder.role) == (permissions, '{"list":5}', "tenant_user")
