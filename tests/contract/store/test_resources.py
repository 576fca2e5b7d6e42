"""Pipelines, presets and keys as they are kept, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlplane.domain.quota import DEFAULTS, Quota
from controlplane.store.operations import identity, quotas, resources
from controlplane.store.records import Pipeline, Preset
from shared.errors import AlreadyExists, NotFound, QuotaExceeded
from shared.ids import KeyId, PipelineId, PresetId, TenantId, UserId
from shared.statuses import PipelineStatus
from tests.builders import a_token
from tests.contract.store.world import OTHER_TENANT, TENANT, World


async def a_pipeline(world: World, **changes: str) -> Pipeline:
    known = await world.store.read(resources.pipeline(TENANT, world.pipelines[TENANT]))
    fields = {**vars(known), "id": PipelineId(world.next_id()), "created_at": world.now, **changes}
    return Pipeline(**fields)


def a_preset(world: World, terms: str = "{}") -> Preset:
    return Preset(PresetId(world.next_id()), TENANT, "mine", "", "{}", world.now, terms)


async def test_a_create_that_comes_again_makes_nothing_more(world: World) -> None:
    pipeline, preset = await a_pipeline(world), a_preset(world)
    assert await world.store.write(resources.add_pipeline(pipeline, a_token())) == pipeline
    assert await world.store.write(resources.add_preset(preset, a_token("other"))) == preset
    again = await asyncio.gather(*(_pipeline_again(world) for _ in range(5)))
    assert {one.id for one in again} == {pipeline.id}
    assert (await world.store.write(resources.add_preset(a_preset(world), a_token("other")))) == preset
    assert await _used(world, Quota.PRESETS) == 1
    listed = await world.store.read(resources.pipelines(TENANT, "", 10))
    assert [one.id for one in listed] == [world.pipelines[TENANT], pipeline.id]


async def _pipeline_again(world: World) -> Pipeline:
    return await world.store.write(resources.add_pipeline(await a_pipeline(world), a_token()))


async def test_a_create_that_was_refused_leaves_its_token_unused(world: World) -> None:
    await world.store.write(quotas.set_limits(TENANT, DEFAULTS | {Quota.PRESETS: 0}))
    with pytest.raises(QuotaExceeded):
        await world.store.write(resources.add_preset(a_preset(world), a_token()))
    await world.store.write(quotas.set_limits(TENANT, DEFAULTS))
    preset = a_preset(world)
    assert await world.store.write(resources.add_preset(preset, a_token())) == preset


async def test_what_a_dialect_keeps_stays_as_it_was_said(world: World) -> None:
    pipeline = await a_pipeline(world, terms='{"role":"r"}')
    await world.store.write(resources.add_pipeline(pipeline))
    assert await world.store.read(resources.pipeline(TENANT, pipeline.id)) == pipeline
    changed = await world.store.write(
        resources.update_pipeline(TENANT, pipeline.id, {"terms": '{"role":"s"}'}, if_version=None)
    )
    assert changed.terms == '{"role":"s"}'
    paused = await world.store.write(resources.set_pipeline_status(TENANT, pipeline.id, PipelineStatus.PAUSED))
    assert paused.terms == '{"role":"s"}'
    preset = a_preset(world, terms='{"Video":{}}')
    await world.store.write(resources.add_preset(preset))
    assert await world.store.read(resources.preset(TENANT, preset.id)) == preset


async def test_lists_go_both_ways_and_begin_after_what_is_named(world: World) -> None:
    pipelines = [world.pipelines[TENANT]]
    presets = []
    for _ in range(3):
        pipelines.append((await world.store.write(resources.add_pipeline(await a_pipeline(world)))).id)
        presets.append((await world.store.write(resources.add_preset(a_preset(world)))).id)
    for list_, made in ((resources.pipelines, pipelines), (resources.presets, presets)):
        for ascending, order, start in ((True, made, ""), (False, made[::-1], "~")):
            first = await world.store.read(list_(TENANT, start, 2, ascending=ascending))
            rest = await world.store.read(list_(TENANT, first[-1].id, 10, ascending=ascending))
            assert [one.id for one in (*first, *rest)] == order
    assert await world.store.read(resources.presets(OTHER_TENANT, "~", 10, ascending=False)) == []


async def test_a_key_has_a_hash_or_a_sealed_secret_and_its_holder_is_found_with_it(world: World) -> None:
    user_id = await world.store.read(identity.first_admin(TENANT))
    for name, secret in (("k1", {"secret_hash": "h"}), ("k2", {"sealed_secret": "s"})):
        adding = identity.add_key(
            KeyId(name), user_id=user_id, tenant_id=TENANT, label="", expires_at=None, now=world.now, **secret
        )
        assert await world.store.write(adding) == await world.store.read(identity.key(TENANT, KeyId(name)))
        holder = await world.store.read(identity.key_holder(KeyId(name)))
        assert holder is not None
        assert (holder.secret_hash, holder.sealed_secret) == (secret.get("secret_hash"), secret.get("sealed_secret"))


async def test_a_tenants_first_admin_stands_for_it_where_nobody_has_a_key(world: World) -> None:
    holder = await world.store.read(identity.admin_holder(TENANT))
    assert (holder.tenant_id, holder.user_id) == (TENANT, await world.store.read(identity.first_admin(TENANT)))
    assert (holder.secret_hash, holder.sealed_secret) == (None, None)
    with pytest.raises(NotFound):
        await world.store.read(identity.admin_holder(TenantId("nobody")))


async def test_an_account_number_is_given_once(world: World) -> None:
    for tenant_id, name, pointer in ((TENANT, "new", "/id"), (TenantId("100000000009"), "new", None)):
        adding = identity.add_tenant(tenant_id, name, 1, UserId(world.next_id()), world.now)
        if pointer is None:
            assert (await world.store.write(adding)).id == tenant_id
            continue
        with pytest.raises(AlreadyExists) as refusal:
            await world.store.write(adding)
        assert refusal.value.pointer == pointer


async def _used(world: World, quota: Quota) -> int | None:
    lines = await world.store.read(quotas.read(TENANT, world.now))
    (used,) = (line.used for line in lines if line.quota is quota)
    return used


async def test_no_bucket_lies_above_or_below_another(world: World) -> None:
    await world.store.write(resources.add_bucket(OTHER_TENANT, "films", "file", "/roots/1/films", world.now))
    beside = ("film", "films2", "films-old", "films.old", "films old/films", "Films", "filmsé")
    for root in ("/roots/1/films", "/roots/1/films/old/er", "/roots/1", "/roots"):
        assert await world.store.read(resources.is_taken(Path(root))), root
    for root in (*(f"/roots/1/{name}" for name in beside), "/roots/2/films"):
        assert not await world.store.read(resources.is_taken(Path(root))), root
