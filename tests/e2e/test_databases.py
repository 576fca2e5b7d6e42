"""PostgreSQL that goes away and comes back, under load."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests import postgres
from tests.e2e.processes import running
from tests.e2e.test_crashes import a_job, a_pipeline
from tests.soak import times

pytestmark = pytest.mark.timeout(times(120, 3600))

OUTAGE_SECONDS = 5.0


async def test_no_acknowledged_job_is_lost_or_doubled_when_the_database_crashes(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    outages: list[float] = []
    is_over = asyncio.Event()

    async def submit(caller: int) -> None:
        number = 0
        while not is_over.is_set():
            token = f"caller {caller} job {number}"
            acknowledged[token] = (await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, token)))["id"]
            number += 1

    async def more(count: int) -> None:
        wanted = len(acknowledged) + count
        async with asyncio.timeout(60):
            while len(acknowledged) < wanted:  # noqa: ASYNC110 (another process works)
                await asyncio.sleep(0.005)

    with postgres.running() as database:
        dsn = await database.fresh_dsn()
        async with running(tmp_path / "state", {"TRANSCODER_DATABASE": dsn}) as (_, tenant, _operator):
            pipeline_id = await a_pipeline(tenant)
            callers = [asyncio.create_task(submit(caller)) for caller in range(8)]
            for _ in range(times(3, 20)):
                await more(30)
                await asyncio.to_thread(database.crash)
                assert (await tenant.once("POST", "/v1/jobs", a_job(pipeline_id, "while it is away")))[0] == 503
                await asyncio.to_thread(database.start)
                began = time.monotonic()
                await more(1)
                outages.append(time.monotonic() - began)
            is_over.set()
            await asyncio.gather(*callers)
            await tenant.call("GET", "/readyz")
            found = Counter(job["id"] for job in await tenant.every_job())
            assert found == Counter(acknowledged.values())
        connection = await asyncpg.connect(dsn)
        try:
            queued = await connection.fetchval("SELECT SUM(queued) FROM tenants")
            assert queued == await connection.fetchval("SELECT COUNT(*) FROM tasks WHERE state IN ('Held', 'Waiting')")
        finally:
            await connection.close()
    assert max(outages) <= OUTAGE_SECONDS, outages
