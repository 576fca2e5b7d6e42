"""Nodes that vanish, and a network that is cut: what is lost is done elsewhere, and what is only silent is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_document, mp4_settings
from tests.contract.agent.conftest import movie
from tests.e2e.edge import Edge, Network, edges
from tests.e2e.processes import Client, running

__all__ = ["movie"]

pytestmark = pytest.mark.timeout(180)

LEASE = 6.0
QUICK = {
    "TRANSCODER_LEASE": str(LEASE),
    "TRANSCODER_BEAT_INTERVAL": "1",
    "TRANSCODER_POLL_WAIT": "2",
    "TRANSCODER_REAP_INTERVAL": "5",  # the usual one: it is part of how long it takes
}
QUICKER = QUICK | {"TRANSCODER_LEASE": "3", "TRANSCODER_BEAT_INTERVAL": "0.5", "TRANSCODER_REAP_INTERVAL": "0.5"}
CUT = 3 * 3.0
"""Seconds: three leases, and still within the brake."""


async def a_pipeline(tenant: Client, movie: bytes) -> str:
    await tenant.call("POST", "/v1/buckets", {"name": "b"})
    upload = await tenant.call("POST", "/v1/buckets/b/uploads", {"key": "in.mp4"})
    await tenant.call("PUT", upload["url"], movie)
    made = await tenant.call("POST", "/v1/pipelines", {"name": "p", "input_bucket": "b", "output_bucket": "b"})
    pipeline_id: str = made["id"]
    return pipeline_id


async def submit(tenant: Client, pipeline_id: str, key: str) -> str:
    document = a_document(pipeline_id, outputs=[{"key": key, "settings": mp4_settings()}])
    job_id: str = (await tenant.call("POST", "/v1/jobs", document))["id"]
    return job_id


async def job(tenant: Client, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await tenant.call("GET", f"/v1/jobs/{job_id}")
    return found


async def until(tenant: Client, job_id: str, claim: Callable[[dict[str, Any]], object], within: float = 40) -> Any:
    async with asyncio.timeout(within):
        while not claim(found := await job(tenant, job_id)):  # noqa: ASYNC110 (other processes work)
            await asyncio.sleep(0.02)
    return found


def is_encoding(found: dict[str, Any]) -> bool:
    return bool(found["progress"] and found["progress"]["phase"] == "encoding")


async def test_the_work_of_a_node_that_vanished_runs_elsewhere_soon(
    tmp_path: Path, movie: bytes, record_property: Callable[[str, object], None]
) -> None:
    async with running(tmp_path / "state", QUICK) as (server, tenant, operator):
        pipeline_id = await a_pipeline(tenant, movie)
        async with edges(server.url, operator, tmp_path, 3) as nodes:
            job_id = await submit(tenant, pipeline_id, "out.mp4")
            first = (await until(tenant, job_id, is_encoding))["attempt"]
            vanished = asyncio.get_running_loop().time()
            lost(nodes, first["node_id"]).vanish()
            second = await until(tenant, job_id, lambda found: found["attempt"]["number"] == 2 and is_encoding(found))
            took = asyncio.get_running_loop().time() - vanished
    assert second["attempt"]["node_id"] != first["node_id"]
    record_property("seconds until the work of a lost node is encoded elsewhere", round(took, 2))
    assert took <= LEASE + 7


async def test_a_cut_of_all_nodes_takes_nothing_from_them_and_a_stop_arrives_when_it_heals(
    tmp_path: Path, movie: bytes
) -> None:
    async with running(tmp_path / "state", QUICKER) as (server, tenant, operator):
        pipeline_id = await a_pipeline(tenant, movie)
        network = Network(int(server.url.rsplit(":", 1)[1]))
        async with await network.open(), edges(network.url, operator, tmp_path, 5) as nodes:
            made = [await submit(tenant, pipeline_id, f"{number}.mp4") for number in range(5)]
            before = [(await until(tenant, job_id, is_encoding))["attempt"] for job_id in made]
            assert len({attempt["node_id"] for attempt in before}) == 5
            network.cut()
            assert (await tenant.call("POST", f"/v1/jobs/{made[0]}/stop"))["status"] == "Progressing"
            await asyncio.sleep(CUT)
            network.heal()
            await until(tenant, made[0], lambda found: found["status"] == "Canceled")
            assert not lost(nodes, before[0]["node_id"]).tools.alive()
            await asyncio.sleep(CUT / 2)
            after = [await job(tenant, job_id) for job_id in made[1:]]
            told = [await tenant.call("GET", f"/v1/jobs/{job_id}/events") for job_id in made]
    assert [found["attempt"]["number"] for found in after] == [1] * 4
    assert all(is_encoding(found) for found in after)
    assert [event for events in told for event in events["items"] if event["type"] == "requeued"] == []


def lost(nodes: list[Edge], node_id: str) -> Edge:
    (found,) = (node for node in nodes if node.node_id == node_id)
    return found
