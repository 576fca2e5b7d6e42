"""The audit log on both databases: one row with what it tells of, and nothing changed in it unseen."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import pytest

from controlplane.domain.auditing import Act, Deed, Verdict
from controlplane.services.acting import ACTING, Acting
from controlplane.services.audit import AuditedStore, Sealer, verify
from controlplane.store.operations import audit, identity, jobs, resources
from shared.errors import AlreadyExists
from shared.ids import ClusterId
from tests.builders import a_job, a_token
from tests.contract.store.databases import PostgresDatabase
from tests.contract.store.world import TENANT, World
from tests.soak import times

DAY_MS = 86_400_000
LONG_AGO = 10 * DAY_MS


def an_act(number: int = 0) -> Act:
    return Act("us_1", "tenant", TENANT, "192.0.2.1", f"rq_{number}", "create_job", f"1763750000000-{number:06d}")


def acting(**changes: object) -> Acting:
    known = {"user_id": "us_1", "role": "tenant", "tenant_id": TENANT, "address": "", "request_id": "rq_1"}
    return Acting(**{**known, "action": "create_job", "objects": (), "is_owed": True, **changes})  # type: ignore[arg-type]


def audited(world: World) -> AuditedStore:
    return AuditedStore(world.store, world.clock, Sealer(world.store, world.clock, 1))


async def add(world: World, count: int) -> None:
    await asyncio.gather(*(world.store.write(audit.add(an_act(number), world.now)) for number in range(count)))


async def seal(world: World, *stretches: int) -> None:
    for rows in stretches:
        await add(world, rows)
        await world.store.write(audit.seal())


async def verdict(world: World) -> Verdict:
    return await verify(world.store)


async def rows(world: World) -> list[dict[str, Any]]:
    return list(await world.database.sql("SELECT * FROM audit ORDER BY id"))


async def test_a_write_and_its_row_are_one(world: World) -> None:
    store = audited(world)
    ACTING.set(acting(action="create_cluster"))
    await store.write(resources.add_cluster(ClusterId("london-1"), "London", world.now))
    (row,) = await rows(world)
    assert (row["action"], row["object"], row["tenant_id"], row["at"]) == (
        "create_cluster",
        "london-1",
        TENANT,
        world.now,
    )


async def test_a_refused_write_leaves_no_row_and_owes_one_still(world: World) -> None:
    store, who = audited(world), acting()
    ACTING.set(who)
    await world.store.write(resources.add_cluster(ClusterId("london-1"), "London", world.now))
    with pytest.raises(AlreadyExists):
        await store.write(resources.add_cluster(ClusterId("london-1"), "London", world.now))
    assert await rows(world) == []
    assert who.is_owed


async def test_a_call_that_writes_twice_leaves_one_row(world: World) -> None:
    store = audited(world)
    ACTING.set(acting())
    await asyncio.gather(*(store.write(identity.set_meta(f"key {number}", "set")) for number in range(5)))
    assert len(await rows(world)) == 1


async def test_what_nobody_asked_for_leaves_no_row(world: World) -> None:
    await audited(world).write(identity.set_meta("key", "set"))
    assert await rows(world) == []


async def test_every_concurrent_caller_leaves_one_row_and_the_chain_holds(world: World) -> None:
    store, count = audited(world), times(200, 3000)

    async def submit(number: int) -> None:
        ACTING.set(acting(request_id=f"rq_{number}"))
        new = a_job(f"1763750000000-{number:06d}", TENANT, world.pipelines[TENANT], token=a_token(f"t{number}"))
        await store.write(jobs.create(new, world.now))

    async def seals() -> None:
        for _ in range(20):
            await world.store.write(audit.seal())

    await asyncio.gather(seals(), *(submit(number) for number in range(count)))
    await Sealer(world.store, world.clock, 1).seal()
    made = await rows(world)
    assert sorted(str(row["object"]) for row in made) == [f"1763750000000-{number:06d}" for number in range(count)]
    assert len({row["request_id"] for row in made}) == count
    found = await verdict(world)
    assert (found.rows, found.faults) == (count, ())


async def test_the_chain_of_an_empty_log_holds(world: World) -> None:
    assert (await verdict(world)).faults == ()


async def test_rows_after_the_last_seal_are_counted(world: World) -> None:
    await seal(world, 3)
    await add(world, 2)
    found = await verdict(world)
    assert (found.rows, found.unsealed, found.head.id, found.faults) == (5, 2, 3, ())


@asynccontextmanager
async def tampered(world: World, table: str, row_id: int, change: str | None) -> AsyncIterator[None]:
    """One row is otherwise, or gone, inside of the block; as somebody could do who has the database open."""
    await world.database.sql(f"CREATE TABLE kept AS SELECT * FROM {table} WHERE id = {row_id}")
    await world.database.sql(f"CREATE TABLE forged AS SELECT * FROM {table} WHERE id = {row_id}")
    if change is not None:
        await world.database.sql(f"UPDATE forged SET {change}")
    else:
        await world.database.sql("DELETE FROM forged")
    (forged,) = await world.database.sql("SELECT MAX(id) AS id FROM forged")
    await put(world, table, row_id, "forged")
    yield
    await put(world, table, forged["id"] or row_id, "kept")
    await world.database.sql("DROP TABLE kept")
    await world.database.sql("DROP TABLE forged")


async def put(world: World, table: str, row_id: int, source: str) -> None:
    numbered = "OVERRIDING SYSTEM VALUE" if isinstance(world.database, PostgresDatabase) and table == "audit" else ""
    await world.database.sql(f"DELETE FROM {table} WHERE id = {row_id}")
    await world.database.sql(f"INSERT INTO {table} {numbered} SELECT * FROM {source}")


def flipped(value: object, random_: random.Random) -> str:
    """The value with another bit, as SQL."""
    if isinstance(value, int):
        return str(value ^ 1 << random_.randrange(7, 20))  # the number of no other row
    text = str(value) or "x"
    place = random_.randrange(len(text))
    return f"'{text[:place]}{chr(ord(text[place]) ^ 1)}{text[place + 1 :]}'"


@pytest.mark.parametrize(("table", "column"), [*(("audit", one.name) for one in fields(Deed)), ("audit_seals", "hash")])
async def test_a_byte_changed_anywhere_is_found(world: World, table: str, column: str) -> None:
    await seal(world, 4, 1, 3)
    random_ = random.Random(column)
    for _ in range(times(2, 40)):
        victim = random_.choice(await world.database.sql(f"SELECT * FROM {table}"))
        change = f"{column} = {flipped(victim[column], random_)}"
        async with tampered(world, table, victim["id"], change):
            assert (await verdict(world)).faults, (victim, change)
        assert not (await verdict(world)).faults


async def test_a_row_taken_away_is_found_wherever_it_stood(world: World) -> None:
    await seal(world, 1, 4, 1, 2)
    for row in await rows(world):
        async with tampered(world, "audit", row["id"], None):
            assert (await verdict(world)).faults, row
        assert not (await verdict(world)).faults


async def test_rows_that_changed_places_are_found(world: World) -> None:
    await seal(world, 4, 3)
    for one, other in ((1, 2), (4, 5), (1, 7)):
        for is_swapped in (True, False):
            for source, target in ((one, 100), (other, one), (100, other)):
                await world.database.sql(f"CREATE TABLE moved AS SELECT * FROM audit WHERE id = {source}")
                await world.database.sql(f"UPDATE moved SET id = {target}")
                await put(world, "audit", source, "moved")
                await world.database.sql("DROP TABLE moved")
            assert bool((await verdict(world)).faults) is is_swapped


async def test_a_log_that_was_cut_off_lacks_the_head_that_was_written_down(world: World) -> None:
    await seal(world, 3, 3)
    head = await world.store.read(audit.head())
    await world.database.sql("DELETE FROM audit WHERE id > 3")
    await world.database.sql("DELETE FROM audit_seals WHERE id > 3")
    assert not (await verify(world.store)).faults
    (fault,) = (await verify(world.store, [head])).faults
    assert "written down" in fault


async def test_a_log_made_anew_is_not_the_one_that_was_written_down(world: World) -> None:
    await seal(world, 3)
    head = await world.store.read(audit.head())
    await world.database.sql("DELETE FROM audit_seals")
    await world.database.sql("UPDATE audit SET object = 'another' WHERE id = 2")
    await world.store.write(audit.seal())
    assert not (await verify(world.store)).faults
    (fault,) = (await verify(world.store, [head])).faults
    assert "not the one" in fault


async def test_old_rows_are_swept_and_the_rest_of_the_chain_still_holds(world: World) -> None:
    await seal(world, 4, 2)
    world.clock.pass_seconds(LONG_AGO / 1000)
    await seal(world, 3)
    kept = await world.store.read(audit.head())
    assert await world.store.write(audit.sweep(until=world.now - DAY_MS, now=world.now)) == 6
    found = await verdict(world)
    assert (found.rows, found.unsealed, found.faults) == (4, 1, ())
    await world.store.write(audit.seal())
    assert (await verify(world.store, [kept])).faults == ()
    assert await world.store.write(audit.sweep(until=world.now - DAY_MS, now=world.now)) == 0


async def test_old_rows_that_somebody_removed_are_not_taken_for_swept(world: World) -> None:
    await seal(world, 4, 2)
    await world.database.sql("DELETE FROM audit WHERE id <= 4")
    (fault,) = (await verdict(world)).faults
    assert "no row tells" in fault


async def test_a_log_that_is_swept_empty_goes_on_counting(world: World) -> None:
    await seal(world, 4)
    world.clock.pass_seconds(LONG_AGO / 1000)
    await world.store.write(audit.sweep(until=world.now, now=world.now))
    await seal(world, 2)
    found = await verdict(world)
    assert (found.rows, found.unsealed, found.head.id, found.faults) == (3, 0, 7, ())


async def test_what_is_not_sealed_yet_is_not_swept(world: World) -> None:
    await add(world, 3)
    world.clock.pass_seconds(LONG_AGO / 1000)
    assert await world.store.write(audit.sweep(until=world.now, now=world.now)) == 0
    assert len(await rows(world)) == 3
