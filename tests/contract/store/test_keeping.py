"""What a store promises whatever is done with it: all or nothing, one at a time, and an answer for everybody."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.store import sql
from controlplane.store.operations import identity, jobs
from controlplane.store.port import Op, call
from shared.errors import NotFound, Unavailable
from shared.ids import UserId
from tests.builders import a_job
from tests.contract.store.databases import Database, PostgresDatabase, SqliteDatabase
from tests.contract.store.world import TENANT, World


class Mishap(Exception):
    pass


def set_then_raise(key: str) -> Op[None]:
    yield call("set_meta", key=key, value="set")
    raise Mishap


def set_then_err(key: str) -> Op[None]:
    """A statement that the database itself refuses, after one that it took."""
    yield call("set_meta", key=key, value="set")
    yield call("count_tenant", id=TENANT, queued=-1, running=0, cost=0, served=0)


async def test_an_operation_that_raises_undoes_itself_and_nobody_else(world: World) -> None:
    outcomes = await asyncio.gather(
        world.store.write(identity.set_meta("before", "set")),
        world.store.write(set_then_raise("raised")),
        world.store.write(set_then_err("refused")),
        world.store.write(identity.set_meta("after", "set")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), Mishap, Unavailable, type(None)]
    kept = [await world.store.read(identity.meta(key)) for key in ("before", "raised", "refused", "after")]
    assert kept == ["set", None, None, "set"]


async def test_a_caller_that_goes_away_takes_nobody_along(world: World) -> None:
    writes = [asyncio.create_task(world.store.write(identity.set_meta(f"key {n}", "set"))) for n in range(10)]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, BaseException)] == []
    assert outcomes[1::2] == [None] * 5
    await world.store.write(identity.set_meta("last", "set"))
    assert await world.store.read(identity.meta("key 1")) == "set"


async def test_many_more_writes_than_fit_into_a_batch_are_all_answered(world: World) -> None:
    created = await asyncio.gather(*(world.submit() for _ in range(500)))
    assert len(set(created)) == 500
    await world.assert_counted()


async def test_closing_waits_for_what_was_asked_for_and_refuses_what_comes_later(database: Database) -> None:
    store = await database.open()
    writes = [asyncio.create_task(store.write(identity.set_meta(f"key {n}", "set"))) for n in range(200)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*writes) == [None] * 200
    with pytest.raises(Unavailable):
        await store.write(identity.set_meta("late", "set"))
    again = await database.open()
    assert await again.read(identity.meta("key 199")) == "set"
    await again.close()


async def test_opening_again_keeps_everything(database: Database) -> None:
    store = await database.open()
    world = await World.create(store, database)
    job_id = await world.submit()
    before = await world.stood()
    await store.close()
    again = await database.open()
    assert (await again.read(jobs.read(TENANT, job_id))).id == job_id
    await again.close()
    assert await world.stood() == before


async def test_a_database_of_a_newer_release_is_refused(database: Database) -> None:
    await (await database.open()).close()
    newer = max(sql.migrations(sql.SQLITE)) + 1
    match database:
        case SqliteDatabase():
            await database.sql(f"PRAGMA user_version = {newer}")
        case PostgresDatabase():
            await database.sql(f"INSERT INTO schema_version (version) VALUES ({newer})")
    with pytest.raises(Unavailable, match="newer release"):
        await database.open()


async def test_a_job_is_not_read_under_another_tenant(world: World) -> None:
    job_id = await world.submit()
    with pytest.raises(NotFound):
        await world.job(job_id, tenant_id="100000000002")


async def test_text_of_any_language_reads_back_as_it_was_written(world: World) -> None:
    value = "ünï «codé» 動画 🎬 'quoted' \"twice\" \\"
    await world.store.write(identity.set_meta("text", value))
    assert await world.store.read(identity.meta("text")) == value


async def test_a_key_that_was_never_made_belongs_to_nobody(world: World) -> None:
    assert await world.store.read(identity.key_holder("nobody")) is None


async def test_two_jobs_of_one_id_cannot_be(world: World) -> None:
    new = a_job("1763750000000-000000", TENANT, world.pipelines[TENANT])
    await world.store.write(jobs.create(new, world.now))
    before = await world.stood()
    with pytest.raises(Unavailable):
        await world.store.write(jobs.create(new, world.now))
    assert await world.stood() == before


async def test_users_of_unknown_tenants_cannot_be(world: World) -> None:
    with pytest.raises(NotFound):
        await world.store.read(identity.first_admin("nobody"))
    await world.store.write(identity.add_operator(UserId("us_operator"), world.now))
