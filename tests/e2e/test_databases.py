"""PostgreSQL that goes away and comes back, under load."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests import postgres
from tests.e2e.callers import Callers, a_job, a_pipeline
from tests.e2e.processes import running
from tests.soak import times

pytestmark = pytest.mark.timeout(times(120, 3600))

OUTAGE_SECONDS = 5.0


async def test_no_acknowledged_job_is_lost_or_doubled_when_the_database_crashes(tmp_path: Path) -> None:
    outages: list[float] = []
    with postgres.running() as database:
        dsn = await database.fresh_dsn()
        async with running(tmp_path / "state", {"TRANSCODER_DATABASE": dsn}) as (_, tenant, _operator):
            pipeline_id = await a_pipeline(tenant)
            callers = Callers(tenant, pipeline_id)
            for _ in range(times(3, 20)):
                await callers.more(30)
                await asyncio.to_thread(database.crash)
                assert (await tenant.once("POST", "/v1/jobs", a_job(pipeline_id, "while it is away")))[0] == 503
                await asyncio.to_thread(database.start)
                began = time.monotonic()
                await callers.more(1)
                outages.append(time.monotonic() - began)
            await callers.end()
            await tenant.call("GET", "/readyz")
            found = Counter(job["id"] for job in await tenant.every_job())
            assert found == Counter(callers.acknowledged.values())
        connection = await asyncpg.connect(dsn)
        try:
            queued = await connection.fetchval("SELECT SUM(queued) FROM tenants")
            assert queued == await connection.fetchval("SELECT COUNT(*) FROM tasks WHERE state IN ('Held', 'Waiting')")
        finally:
            await connection.close()
    assert max(outages) <= OUTAGE_SECONDS, outages
