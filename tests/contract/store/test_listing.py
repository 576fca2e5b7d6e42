"""Lists: by submission, narrowed, page by page, with nothing twice and nothing missed."""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import asyncpg
import pytest

from controlplane.store.operations import jobs, matching
from controlplane.store.operations.jobs import FIRST_ID, LAST_ID, Page
from controlplane.store.sql import JOB_FILTERS, POSTGRES, SQLITE, queries
from controlplane.store.sqlite import _migrate
from shared.ids import JobId
from shared.statuses import JobStatus
from tests.contract.store.databases import PostgresDatabase
from tests.contract.store.world import OTHER_TENANT, TENANT, World


async def pages(
    world: World, wanted: dict[str, str | None] | None = None, *, ascending: bool, size: int = 7, oldest: str = ""
) -> AsyncIterator[list[JobId]]:
    after = FIRST_ID if ascending else LAST_ID
    while True:
        page = await world.store.read(
            jobs.page(TENANT, wanted or {}, ascending=ascending, after=after, oldest=oldest, size=size)
        )
        if page.jobs:
            yield [job.id for job in page.jobs]
        if page.onward is None:
            return
        after = page.onward


async def listed(world: World, wanted: dict[str, str | None] | None = None, *, ascending: bool = True) -> list[JobId]:
    return [job_id async for page in pages(world, wanted, ascending=ascending) for job_id in page]


@pytest.mark.parametrize("ascending", [True, False])
async def test_pages_hold_every_job_once_in_the_order_of_submission(world: World, ascending: bool) -> None:
    made = [await world.submit() for _ in range(30)]
    await world.submit(OTHER_TENANT)
    assert await listed(world, ascending=ascending) == (made if ascending else made[::-1])


@pytest.mark.parametrize("ascending", [True, False])
async def test_jobs_that_come_while_a_list_is_read_are_neither_twice_in_it_nor_in_the_way(
    world: World, ascending: bool
) -> None:
    made = [await world.submit() for _ in range(20)]
    seen: list[JobId] = []
    later: list[JobId] = []
    async for page in pages(world, ascending=ascending, size=5):
        seen += page
        if len(later) < 6:
            later += await asyncio.gather(*(world.submit() for _ in range(3)))
    assert len(seen) == len(set(seen))
    assert seen == (made + later if ascending else made[::-1])


@pytest.mark.parametrize("ascending", [True, False])
async def test_a_page_has_room_for_so_much_and_the_next_goes_on_behind_it(
    world: World, ascending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a page of large jobs would hold up everybody."""
    made = [await world.submit(metadata={"n": "x" * 200}) for _ in range(5)]
    (first, *_) = (await world.store.read(jobs.page(TENANT, {}, ascending=True, after="", oldest="", size=5))).jobs
    monkeypatch.setattr(jobs, "ROOM", len(first.document) + 1)
    made = made if ascending else made[::-1]
    assert [page async for page in pages(world, ascending=ascending)] == [made[:2], made[2:4], made[4:]]


@pytest.mark.parametrize("looked_through", [1, 10_000_000])
async def test_a_search_looks_through_so_much_for_a_page(
    world: World, looked_through: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await world.submit(metadata={"n": str(number % 2)}) for number in range(4)]
    monkeypatch.setattr(matching, "LOOKED_THROUGH", looked_through)
    monkeypatch.setattr(jobs, "ROOM", 1)
    found, after = list[JobId](), LAST_ID
    while True:
        window = {"ascending": False, "after": after, "oldest": ""}
        page = await world.store.read(matching.matching(TENANT, {}, {"n": "1"}, **window, size=9))  # type: ignore[arg-type]
        assert len(page.jobs) <= 1
        found += [job.id for job in page.jobs]
        if page.onward is None:
            break
        after = page.onward
    assert found == [made[3], made[1]]


async def test_every_combination_of_filters_narrows_in_both_orders(world: World) -> None:
    other_pipeline = await world.add_pipeline(TENANT)
    known = []
    for pipeline_id, cluster_id, canceled in itertools.product(
        (world.pipelines[TENANT], other_pipeline), ("paris-1", None), (False, True)
    ):
        job_id = await world.submit(pipeline_id=pipeline_id, cluster_id=cluster_id)
        if canceled:
            await world.store.write(jobs.cancel(TENANT, job_id, world.now))
        status = JobStatus.CANCELED if canceled else JobStatus.SUBMITTED
        known.append((job_id, {"status": status, "pipeline_id": pipeline_id, "cluster_id": cluster_id}))
    _, sample = known[1]
    for count in range(len(JOB_FILTERS) + 1):
        for fields in itertools.combinations(JOB_FILTERS, count):
            wanted = {field: sample[field] if field in fields else None for field in JOB_FILTERS}
            expected = [job_id for job_id, has in known if all(has[field] == sample[field] for field in fields)]
            assert await listed(world, wanted) == expected
            assert await listed(world, wanted, ascending=False) == expected[::-1]


@pytest.mark.parametrize("ascending", [True, False])
async def test_nothing_older_than_asked_for_is_listed(world: World, ascending: bool) -> None:
    await world.submit()
    world.clock.pass_seconds(10)
    newer = await world.submit()
    oldest = f"{world.now:013d}"
    assert [page async for page in pages(world, ascending=ascending, oldest=oldest)] == [[newer]]


async def test_events_go_on_after_the_last_that_is_known(world: World) -> None:
    job_id = await world.submit()
    await world.store.write(jobs.cancel(TENANT, job_id, world.now))
    first, second = await world.store.read(jobs.events(job_id, 0, 1000))
    assert await world.store.read(jobs.events(job_id, first.id, 1000)) == [second]


def test_no_list_reads_rows_that_it_does_not_show() -> None:
    """Every page is one range of one index, or one of each status."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        _migrate(database)
        lists = {name: query for name, query in queries(SQLITE).items() if name.startswith("jobs_")}
        assert len(lists) == 2 * 2 ** len(JOB_FILTERS)
        for name, query in lists.items():
            given = {parameter: "x" if parameter != "size" else 1 for parameter in query.parameters}
            plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query.sql}", given)]
            reads = [step for step in plan if " jobs " in step]
            assert len(reads) in (1, len(JobStatus)), name
            assert all("COVERING INDEX" in step and "id>?" in step for step in reads), name
            assert not any("SCAN t" in step or "SCAN j" in step for step in plan), name


async def test_lists_of_many_jobs_are_planned_for_the_few_that_a_page_shows(postgres_dsn: str) -> None:
    """PostgreSQL plans once for all values, and does not know that a page is small unless it is told."""
    database = PostgresDatabase(postgres_dsn)
    store = await database.open()
    try:
        await (await World.create(store, database)).submit()
    finally:
        await store.close()
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for table in ("jobs", "tasks"):
            (first,) = await connection.fetch(f"SELECT * FROM {table}")
            copied = [f"{name} || copy" if name in ("id", "job_id") else name for name in first.keys()]  # noqa: SIM118
            await connection.execute(
                f"INSERT INTO {table} ({', '.join(first.keys())}) "
                f"SELECT {', '.join(copied)} FROM {table}, generate_series(1, 20000) copy"
            )
            await connection.execute(f"ANALYZE {table}")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        for name, query in queries(POSTGRES).items():
            if name.startswith("jobs_"):
                await connection.execute(f'PREPARE "{name}" AS {query.sql}')
                given = ", ".join("NULL" for _ in query.parameters)
                plan = await connection.fetch(f'EXPLAIN EXECUTE "{name}" ({given})')
                (expected,) = re.findall(r"WindowAgg .* rows=(\d+)", "\n".join(step[0] for step in plan))
                assert int(expected) <= 101, name
    finally:
        await connection.close()


@pytest.mark.parametrize("ascending", [True, False])
async def test_jobs_are_found_by_their_metadata_whatever_else_they_are_narrowed_by(
    world: World, ascending: bool
) -> None:
    made = [await world.submit(metadata={"a%b": "1_1", "n": str(number % 2)}) for number in range(6)]
    await world.submit(metadata={"a%b": "1x1"})
    await world.submit(OTHER_TENANT, metadata={"a%b": "1_1"})

    async def found(wanted: dict[str, str | None], **metadata: str) -> Page:
        after = FIRST_ID if ascending else LAST_ID
        operation = matching.matching(
            TENANT, wanted, {"a%b": "1_1"} | metadata, ascending=ascending, after=after, oldest="", size=9
        )
        return await world.store.read(operation)

    pipeline = str(world.pipelines[TENANT])
    for wanted in ({}, {"status": "Submitted"}, {"pipeline_id": pipeline}):
        assert [job.id for job in (await found(wanted)).jobs] == made[:: 1 if ascending else -1]
        assert [job.id for job in (await found(wanted, n="1")).jobs] == made[1::2][:: 1 if ascending else -1]
    assert await found({"status": "Error"}) == ([], None)
