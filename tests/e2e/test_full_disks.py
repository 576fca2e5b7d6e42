"""Disks of the control plane that are full: what needs no room goes on, and when there is room so does everything."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.protocol import BeatRequest
from tests.builders import a_capacity, free_of
from tests.e2e.callers import ScriptedNode, a_job, a_pipeline
from tests.e2e.processes import running

pytestmark = pytest.mark.timeout(120)

RECOVERS_WITHIN = 10.0


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    """To the last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


async def test_a_full_disk_refuses_what_must_be_kept_serves_the_rest_and_ends_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        async with running(disk / "state") as (_, tenant, operator):
            pipeline_id = await a_pipeline(tenant)
            node = await ScriptedNode.join(tenant._url, operator)
            job = await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, "before"))
            ballast = fill(disk)
            status, refusal = await refused(tenant, pipeline_id)
            assert (status, refusal["code"]) == (503, "storage_full")
            assert refusal["retry_after"] is not None
            assert (await tenant.once("GET", f"/v1/jobs/{job['id']}"))[0] == 200
            assert (await tenant.once("GET", "/v1/jobs"))[0] == 200
            assert (await tenant.once("GET", "/readyz"))[0] in (200, 503)
            assert (await tenant.once("GET", "/healthz"))[0] == 200
            ballast.unlink()
            began = time.monotonic()
            made = await tenant.call("POST", "/v1/jobs", a_job(pipeline_id, "after"))
            assert time.monotonic() - began <= RECOVERS_WITHIN
            beat = BeatRequest(boot_id="boot", free=free_of(a_capacity()), attempts=())
            await node.say("beat", beat)
            jobs = {found["id"] for found in await tenant.every_job()}
            assert jobs == {job["id"], made["id"]}, "what was refused is not there"
            await node.close()


async def refused(tenant: object, pipeline_id: str) -> tuple[int, dict[str, object]]:
    """Pages that the database has already take a few more."""
    for number in range(2000):
        status, answer = await tenant.once("POST", "/v1/jobs", a_job(pipeline_id, f"refused {number}"))  # type: ignore[attr-defined]
        if status >= 500:
            return status, answer
    raise AssertionError("the disk is not full")


async def test_a_full_bucket_takes_nothing_by_halves(tmp_path: Path) -> None:
    with small_disk(tmp_path / "buckets", 8) as disk:
        environment = {"TRANSCODER_BUCKET_ROOTS": f'["{disk}"]'}
        async with running(tmp_path / "state", environment) as (_, tenant, _operator):
            await tenant.call("POST", "/v1/buckets", {"name": "b"})
            ballast = fill(disk)
            link = await tenant.call("POST", "/v1/buckets/b/uploads", {"key": "film"})
            status, refusal = await tenant.once("PUT", link["url"], os.urandom(1 << 20))
            assert (status, refusal["code"]) == (503, "storage_full")
            assert (await tenant.call("GET", "/v1/buckets/b/objects"))["items"] == []
            ballast.unlink()
            content = os.urandom(1 << 20)
            assert (await tenant.once("PUT", link["url"], content))[0] == 201
            assert [item["key"] for item in (await tenant.call("GET", "/v1/buckets/b/objects"))["items"]] == ["film"]
