"""Does a page of jobs take longer when there are a hundred times as many?

Every filter and every pair of filters, first page and middle, newest first and oldest first, at 10,000 and at 1,000,000 jobs
of one tenant: the service's own operations on the real database, without HTTP around them. Most jobs are Complete and in
one pipeline; some statuses, pipelines and clusters are rare, and a pair of them rarer still.

    python -m benchmarks.lists [--store sqlite|postgres] [--jobs 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from controlplane.store.operations import identity, jobs, resources
from controlplane.store.operations.jobs import FIRST_ID, LAST_ID
from controlplane.store.port import Call, Op, Store, call
from controlplane.store.records import Pipeline
from shared.ids import ClusterId, PipelineId, TenantId, UserId
from shared.statuses import JobStatus, PipelineStatus
from tests import postgres
from tests.contract.store.databases import Database, PostgresDatabase, SqliteDatabase

BEGAN_MS: Final = 1_763_750_000_000
PAGE: Final = 50
NOBODY: Final = "-"
"""Has asked to hear of these jobs."""
BATCH: Final = 1000
FEW: Final = 10_000
ROUNDS: Final = 4
"""Through all lists of both databases; of each the quickest counts: what else the machine does comes and goes."""
TENANT: Final = TenantId("100000000001")
DOCUMENT: Final = (
    '{"inputs":[{"key":"in/film.mp4"}],"outputs":[{"key":"out.mp4"}],"metadata":{},"padding":"' + 300 * "x" + '"}'
)

Filters = Mapping[str, str | None]


def fill(tenant_id: TenantId, first: int, count: int) -> Op[None]:
    """Jobs with their tasks, as they stand when they have ended or wait."""
    for number in range(first, first + count):
        job_id = f"{BEGAN_MS + number:013d}-00abcd"
        yield from _rows(job_id, tenant_id, number)


def _rows(job_id: str, tenant_id: TenantId, number: int) -> Iterator[Call]:
    cluster_id = (None, "large", "large", "rare")[min(3, number % 40)]
    yield call(
        "insert_job",
        id=job_id,
        tenant_id=tenant_id,
        user_id="us_1",
        pipeline_id=pipeline_of(number),
        cluster_id=cluster_id if number % 997 else "rare",
        document=DOCUMENT,
        retry_of=None,
        submitted_at=BEGAN_MS + number,
    )
    yield call(
        "insert_task",
        task_id=f"{job_id}-0",
        id=job_id,
        tenant_id=tenant_id,
        user_id="us_1",
        pipeline_id=pipeline_of(number),
        need="[]",
        task_state="Held",
        priority=0,
        presets="{}",
        files="{}",
        max_attempts=3,
    )
    if number % 211 == 0:
        yield call("cancel_job", id=job_id, now=BEGAN_MS, heard=NOBODY)
    elif number % 1013:
        yield call("progress_job", id=job_id, node_id=None, now=BEGAN_MS, heard=NOBODY)
        status = JobStatus.ERROR if number % 97 == 0 else JobStatus.COMPLETE
        yield call("end_job", id=job_id, status=status, result="{}", now=BEGAN_MS, heard=NOBODY)


MULTIPLY: Final = """
INSERT INTO {table} ({columns})
WITH RECURSIVE copies (copy) AS (SELECT 1 UNION ALL SELECT copy + 1 FROM copies WHERE copy < {copies})
SELECT {values} FROM {table}, copies
"""
"""Each row again with later ids: what makes a job of each kind rare or common stays as it was."""
LATER: Final = "CAST(CAST(substr({name}, 1, 13) AS BIGINT) + copy * {few} AS TEXT) || substr({name}, 14)"


async def multiply(database: Database, copies: int) -> None:
    for table in ("jobs", "tasks"):
        names = list((await database.sql(f"SELECT * FROM {table} LIMIT 1"))[0])  # noqa: S608
        values = [LATER.format(name=name, few=FEW) if name in ("id", "job_id") else name for name in names]
        statement = MULTIPLY.format(table=table, columns=", ".join(names), values=", ".join(values), copies=copies)
        await database.sql(statement)


def pipeline_of(number: int) -> PipelineId:
    return PipelineId(f"{BEGAN_MS}-{'rarest' if number % 1999 == 0 else 'second' if number % 10 == 0 else 'larger'}")


def every_filter() -> Iterator[Filters]:
    """Each value alone and with each value of the others."""
    values: dict[str, list[str | None]] = {
        "status": [None, *(status.value for status in JobStatus if status is not JobStatus.PROGRESSING)],
        "pipeline_id": [None, *sorted({pipeline_of(number) for number in (0, 1, 10)})],
        "cluster_id": [None, "large", "rare"],
    }
    for chosen in itertools.product(*values.values()):
        if chosen.count(None):
            yield dict(zip(values, chosen, strict=True))


@dataclass(frozen=True)
class Took:
    milliseconds: float
    jobs: int


async def measure(store: Store, tenant_id: TenantId, count: int) -> dict[tuple[str, str, str], Took]:
    """A page, the median of several, by filters, direction and place."""
    middle = f"{BEGAN_MS + count // 2:013d}-00abcd"
    took = {}
    for wanted in every_filter():
        name = " ".join(value for value in wanted.values() if value) or "all"
        for ascending in (False, True):
            for place, after in (("first", FIRST_ID if ascending else LAST_ID), ("middle", middle)):
                key = name, "oldest" if ascending else "newest", place
                took[key] = await _median(store, tenant_id, wanted, ascending=ascending, after=after)
    return took


async def _median(store: Store, tenant_id: TenantId, wanted: Filters, **place: Any) -> Took:
    times, found = [], 0
    for _ in range(9):
        began = time.perf_counter()
        found = len((await store.read(jobs.page(tenant_id, wanted, oldest="", size=PAGE, **place))).jobs)
        times.append(time.perf_counter() - began)
    return Took(1000 * statistics.median(times), found)


async def compare(few: Database, many: Database, count: int) -> None:
    for database in (few, many):
        async with _opened(database) as store:
            await _set_up(store, TENANT)
            for first in range(0, FEW, BATCH):
                await store.write(fill(TENANT, first, BATCH))
    await multiply(many, count // FEW - 1)
    for database in (few, many):
        await database.sql("ANALYZE")
    async with _opened(few) as store_of_few, _opened(many) as store_of_many:
        rounds = [
            (await measure(store_of_few, TENANT, FEW), await measure(store_of_many, TENANT, count))
            for _ in range(ROUNDS)
        ]
    before, after = ([found[which] for found in rounds] for which in (0, 1))
    _tell(_quickest(before), _quickest(after), count)


def _quickest(rounds: Sequence[dict[tuple[str, str, str], Took]]) -> dict[tuple[str, str, str], Took]:
    return {key: min((found[key] for found in rounds), key=lambda one: one.milliseconds) for key in rounds[0]}


def _tell(before: Mapping[tuple[str, str, str], Took], took: Mapping[tuple[str, str, str], Took], many: int) -> None:
    """Ratios of pages that were full both times: a longer page takes longer."""
    full = [key for key in took if before[key].jobs == took[key].jobs == PAGE]
    ratios = {key: took[key].milliseconds / before[key].milliseconds for key in full}
    slowest = max(took, key=lambda key: took[key].milliseconds)
    print(f"median ratio of {len(full)} full pages   {statistics.median(ratios.values()):.2f}")
    print(f"slowest page of {len(took)} at {many:,}   {took[slowest].milliseconds:.2f} ms: {', '.join(slowest)}")
    all_of_them = ("all", "newest", "first")
    for key in (all_of_them, *sorted(ratios.keys() - {all_of_them}, key=lambda key: -ratios[key])[:5]):
        ms = f"{before[key].milliseconds:.2f} to {took[key].milliseconds:.2f} ms"
        print(f"  {ratios[key]:5.2f}   {ms}   {', '.join(key)}")


async def _set_up(store: Store, tenant_id: TenantId) -> None:
    await store.write(identity.add_tenant(tenant_id, "tenant", 1, UserId("us_1"), BEGAN_MS))
    await store.write(resources.add_bucket(tenant_id, "b", "file", "/b", BEGAN_MS))
    for pipeline_id in sorted({pipeline_of(number) for number in (0, 1, 10)}):
        pipeline = Pipeline(pipeline_id, tenant_id, "p", "b", "b", "b", PipelineStatus.ACTIVE, 1, BEGAN_MS)
        await store.write(resources.add_pipeline(pipeline))
    for cluster_id in ("large", "rare"):
        await store.write(resources.add_cluster(ClusterId(cluster_id), "", BEGAN_MS))


@contextlib.asynccontextmanager
async def _opened(database: Database) -> AsyncIterator[Store]:
    store = await database.open()
    try:
        yield store
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["sqlite", "postgres"], action="append")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    chosen = parser.parse_args()
    for store in chosen.store or ["sqlite", "postgres"]:
        print(store)
        with contextlib.ExitStack() as stack:
            if store == "sqlite":
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
                databases: list[Database] = [SqliteDatabase(folder / f"{name}.db") for name in ("few", "many")]
            else:
                cluster = stack.enter_context(postgres.running())
                databases = [PostgresDatabase(asyncio.run(cluster.fresh_dsn())) for _ in range(2)]
            few, many = databases
            asyncio.run(compare(few, many, chosen.jobs))


if __name__ == "__main__":
    main()
