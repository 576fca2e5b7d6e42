"""What PostgreSQL is asked for in one statement is done as if it had been asked for one after the other, and by keys."""

from __future__ import annotations

import asyncpg
import pytest

from controlplane.store import sql
from controlplane.store.composing import Step, composed
from controlplane.store.operations import identity
from controlplane.store.port import Calls, Op, call
from controlplane.store.postgres import WRITING_SESSION, PostgresStore
from tests.contract.store.world import TENANT, World

LOOKED_UP = (
    *("accept", "end_job", "finish", "grant", "held_by_node"),
    *("progress_job", "publish_task", "reported", "set_minutes"),
)


async def test_what_follows_a_change_sees_it(world: World) -> None:
    def noted() -> Op[list[str | None]]:
        yield call("set_meta", key="a", value="1")
        first = yield from identity.meta("a")
        yield call("set_meta", key="a", value="2")
        yield Calls("set_meta", [{"key": "b", "value": "3"}, {"key": "c", "value": "4"}])
        yield call("set_meta", key="b", value="5")
        rows = yield Calls("meta", [{"key": "c"}, {"key": "b"}, {"key": "a"}])
        yield call("set_meta", key="c", value="6")
        return [first, *(row["value"] for row in rows)]

    assert await world.store.write(noted()) == ["1", "4", "5", "2"]
    assert await world.store.read(identity.meta("c")) == "6"


async def test_changes_of_several_tables_and_an_answer_are_all_made(world: World) -> None:
    def counted() -> Op[str | None]:
        yield call("set_meta", key="a", value="1")
        yield call("count_tenant", id=TENANT, queued=2, running=3, cost=0, served=0)
        yield call("count_user", user_id="nobody", queued=2, running=3)
        (row,) = yield call("take_quota", tenant_id=TENANT, quota="presets", amount=4)
        return str(row["used"])

    assert await world.store.write(counted()) == "4"
    (tenant,) = await world.database.sql("SELECT queued, running FROM tenants WHERE queued > 0")
    assert tenant == {"queued": 2, "running": 3}
    assert await world.store.read(identity.meta("a")) == "1"


@pytest.mark.parametrize("name", LOOKED_UP)
async def test_rows_are_looked_up_by_key_however_small_the_tables_were(name: str, postgres_dsn: str) -> None:
    await (await PostgresStore.open(postgres_dsn)).close()
    connection = await asyncpg.connect(postgres_dsn, server_settings=WRITING_SESSION)
    try:
        statement = sql.queries(sql.POSTGRES)[name]
        types = tuple(kind.name for kind in (await connection.prepare(statement.sql)).get_parameters())
        text, _ = composed([Step(statement, [], types)])
        await connection.execute(f"PREPARE asked ({', '.join(f'{kind}[]' for kind in types)}) AS {text}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE asked ({', '.join(['NULL'] * len(types))})")
    finally:
        await connection.close()
    plan = [row[0] for row in rows]
    scans = [number for number, line in enumerate(plan) if " Scan " in line and "Function Scan" not in line]
    assert scans
    assert all("Index Cond: " in plan[number + 1] for number in scans), plan
