"""Real processes whose wall clocks are set by hours, while work is under way: no lease is lost for it, and none is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.contract.agent.conftest import movie
from tests.e2e.edge import edges
from tests.e2e.processes import running
from tests.e2e.stepping import WallClock
from tests.e2e.test_losing_nodes import QUICKER, a_pipeline, is_encoding, job, lost, submit, until

__all__ = ["movie"]

pytestmark = pytest.mark.timeout(180)

LEASE = 3.0
HOUR = 3600
STEPS = ((HOUR, 0), (-HOUR, 0), (0, HOUR), (0, -HOUR), (HOUR, -HOUR))
"""Of the control plane's clock and of the nodes', one after the other."""


async def test_no_lease_is_lost_or_kept_because_a_clock_was_set(tmp_path: Path, movie: bytes) -> None:
    ours, theirs = WallClock(tmp_path / "ours"), WallClock(tmp_path / "theirs")
    async with running(tmp_path / "state", QUICKER, program=ours.program) as (server, tenant, operator):
        pipeline_id = await a_pipeline(tenant, movie)
        async with edges(server.url, operator, tmp_path, 3, program=theirs.program) as nodes:
            made = [await submit(tenant, pipeline_id, f"{number}.mp4") for number in range(2)]
            before = [(await until(tenant, job_id, is_encoding))["attempt"] for job_id in made]
            for our_step, their_step in STEPS:
                ours.set_by(our_step)
                theirs.set_by(their_step)
                await asyncio.sleep(1.2 * LEASE)
            assert [(await job(tenant, job_id))["attempt"] for job_id in made] == before
            lost(nodes, before[0]["node_id"]).vanish()
            again = await until(tenant, made[0], lambda found: found["attempt"]["number"] == 2 and is_encoding(found))
            assert again["attempt"]["node_id"] != before[0]["node_id"]
            told = await tenant.call("GET", f"/v1/jobs/{made[1]}/events")
    assert [event["type"] for event in told["items"] if event["type"] == "requeued"] == []
