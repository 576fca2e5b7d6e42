"""From a new account to what its first job made, by commands alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from unittest.mock import ANY

import pytest

from shared.protocol import ReportRequest
from tests.builders import finished, mp4_settings, produced
from tests.e2e.callers import ScriptedNode, a_job, until_complete
from tests.e2e.command_line import CommandLine
from tests.e2e.processes import running

pytestmark = pytest.mark.timeout(120)


async def test_a_tenant_sets_up_its_buckets_and_a_pipeline_and_finds_what_its_job_made(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (server, client, operator):
        tenant = CommandLine(server.url, client.key)
        made = await asyncio.gather(tenant.say("buckets", "create", "films"), tenant.json("buckets", "create", "made"))
        assert (made[0], made[1]["name"]) == ("films", "made")
        between = ("--input-bucket", "films", "--output-bucket", "made")
        pipeline_id = await tenant.say("pipelines", "create", "[web] films", *between)
        job = await client.call("POST", "/v1/jobs", a_job(pipeline_id, "once"))
        node = await ScriptedNode.join(server.url, operator)
        ref = await node.work_on(job["id"], "out.mp4")
        await node.say("report", ReportRequest(ref=ref, outcome=finished(produced("out.mp4"))))
        await until_complete(client, job["id"])
        await node.close()
        links, buckets, pipelines, paused = await asyncio.gather(
            tenant.json("jobs", "outputs", job["id"]),
            tenant.json("buckets", "list"),
            tenant.say("pipelines", "list"),
            tenant.say("pipelines", "pause", pipeline_id),
        )
        assert [one["key"] for one in links] == ["out.mp4"]
        assert await client.call("GET", links[0]["url"]) == b"x" * 10
        assert [one["name"] for one in buckets] == ["films", "made"]
        assert f"{pipeline_id}  [web] films" in pipelines
        assert paused == "Paused"
        assert await tenant.say("pipelines", "resume", pipeline_id) == "Active"
        arn = "arn:aws:sns:eu-west-1:123456789012:done"
        assert await tenant.tried("pipelines", "set", pipeline_id, "--topic", f"done={arn}") == (2, "", ANY)
        changed = await tenant.json("pipelines", "set", pipeline_id, "--name", "web", "--topic", f"completed={arn}")
        assert (changed["name"], changed["notifications"]["completed"]) == ("web", arn)
        await tenant.say("pipelines", "delete", pipeline_id)
        assert [one["key"] for one in await tenant.json("buckets", "objects", "made")] == ["out.mp4"]
        await tenant.say("buckets", "delete-object", "made", "out.mp4")
        assert await tenant.json("buckets", "objects", "made", "--prefix", "o") == []
        await asyncio.gather(*(tenant.say("buckets", "delete", name) for name in ("films", "made")))
        assert await tenant.json("buckets", "list") == await tenant.json("pipelines", "list") == []


async def test_what_is_submitted_in_one_second_does_not_write_the_same_objects(tmp_path: Path) -> None:
    """And a document keeps what it says beside what the command line says."""
    film, document = tmp_path / "film.mp4", tmp_path / "job.json"
    film.write_bytes(b"x")
    told = {"outputs": [{"key": "a.mp4", "preset_id": "1351620000001-000010"}], "metadata": {"order": "1"}}
    document.write_text(json.dumps(told))
    async with running(tmp_path / "state") as (server, client, _):
        tenant = CommandLine(server.url, client.key)
        await asyncio.gather(tenant.say("buckets", "create", "films"), tenant.say("buckets", "create", "made"))
        await tenant.say("pipelines", "create", "web", "--input-bucket", "films", "--output-bucket", "made")
        first, second, third, (code, _, complaint) = await asyncio.gather(
            tenant.json("submit", str(film)),
            tenant.json("submit", str(film)),
            tenant.json("submit", str(film), "--job", str(document), "--prefix", "made/", "--metadata", "dish=lasagna"),
            tenant.tried("submit", str(film), "--job", str(document), "--preset", "1351620000001-000010"),
        )
    assert first["output_key_prefix"] != second["output_key_prefix"]
    assert (third["output_key_prefix"], third["metadata"]) == ("made/", {"order": "1", "dish": "lasagna"})
    assert (code, "exclude each other" in complaint) == (2, True)


async def test_a_preset_is_made_of_a_file_and_deleted_and_a_cluster_too(tmp_path: Path) -> None:
    preset = tmp_path / "preset.json"
    preset.write_text(json.dumps({"name": "small", "settings": mp4_settings()}))
    async with running(tmp_path / "state") as (server, client, operator):
        tenant, fleet = CommandLine(server.url, client.key), CommandLine(server.url, operator.key)
        preset_id, _ = await asyncio.gather(
            tenant.say("presets", "create", str(preset)), fleet.say("clusters", "create", "a")
        )
        assert (await tenant.json("presets", "show", preset_id))["name"] == "small"
        await asyncio.gather(tenant.say("presets", "delete", preset_id), fleet.say("clusters", "delete", "a"))
        (code, _, complaint), left = await asyncio.gather(
            tenant.tried("presets", "show", preset_id), fleet.json("clusters", "list")
        )
    assert (code, "There is no such preset" in complaint) == (3, True)
    assert left == []
