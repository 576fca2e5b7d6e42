"""A storage that is slow or broken is its own tenant's trouble, and comes to an end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from controlplane.services import publishing, settling
from controlplane.services.files import JobFiles
from controlplane.storage.files import FileBucket
from shared.failures import FailureCode
from shared.protocol import Finished, OutputResult
from shared.statuses import JobStatus
from tests.builders import eventually, finished, produced
from tests.contract.api.service import OUT, Caller, Node, Service, a_document

MakeVisible = Callable[..., Any]


class Storage:
    """Bucket roots that hang until they are released, or that break."""

    def __init__(self, real: MakeVisible) -> None:
        self._real = real
        self.hanging: set[str] = set()
        self.broken: set[str] = set()
        self.released = threading.Event()
        self.tried: list[str] = []

    def make_visible(self, files: JobFiles, *rest: Any) -> Any:
        self.tried.append(files.output_root)
        if files.tenant_id in self.hanging:
            self.released.wait()
        if files.tenant_id in self.broken:
            raise OSError("Input/output error")
        return self._real(files, *rest)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    storage = Storage(settling.make_visible)
    monkeypatch.setattr(settling, "make_visible", storage.make_visible)
    monkeypatch.setattr(publishing, "RETRY_SECONDS", 0.01)
    yield storage
    storage.released.set()


async def report(tenant: Caller, pipeline: str, node: Node) -> str:
    """A job whose results are staged and reported."""
    job_id = await tenant.submit(pipeline)
    ref = (await node.take()).ref
    await node.stage(ref, OUT)
    assert (await node.report(ref, finished(OUT))).json["task_state"] == "Publishing"
    return job_id


async def status(tenant: Caller, job_id: str) -> str:
    found: str = (await tenant.get(f"/v1/jobs/{job_id}")).json["status"]
    return found


async def until(tenant: Caller, job_id: str, wanted: str) -> None:
    async with asyncio.timeout(10):
        while await status(tenant, job_id) != wanted:  # noqa: ASYNC110 (the publisher works on its own)
            await asyncio.sleep(0.01)


async def test_a_storage_that_hangs_delays_nobody_else(
    service: Service, tenant: Caller, pipeline: str, node: Node, storage: Storage
) -> None:
    other = await service.tenant("other")
    others = await other.pipeline()
    storage.hanging = {str(tenant.tenant_id)}
    slow = await report(tenant, pipeline, node)
    for _ in range(3):
        job_id = await report(other, others, node)
        await until(other, job_id, "Complete")
        await other.call("DELETE", "/v1/buckets/bucket/objects/out.mp4")
    assert await status(tenant, slow) == "Progressing"
    storage.released.set()
    await until(tenant, slow, "Complete")


async def test_a_storage_that_is_broken_is_tried_again_until_it_is_well(
    tenant: Caller, pipeline: str, node: Node, storage: Storage
) -> None:
    storage.broken = {str(tenant.tenant_id)}
    job_id = await report(tenant, pipeline, node)
    await eventually(lambda: len(storage.tried) > 2)
    assert await status(tenant, job_id) == "Progressing"
    storage.broken.clear()
    await until(tenant, job_id, "Complete")


async def test_what_became_visible_before_the_rest_could_not_counts_as_stored(
    service: Service, tenant: Caller, pipeline: str, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "RETRY_SECONDS", 0.01)
    first, second = produced("a.mp4", size=10), produced("b.mp4", size=20)
    publish = FileBucket.publish

    def breaks(staging: FileBucket, staged: str, target: FileBucket, key: str) -> None:
        if key == second.key:
            raise OSError("Input/output error")
        publish(staging, staged, target, key)

    monkeypatch.setattr(FileBucket, "publish", breaks)
    job_id = await tenant.submit(pipeline, outputs=two_outputs(pipeline))
    ref = (await node.take()).ref
    await node.stage(ref, first, second)
    outputs = tuple(
        OutputResult(index=index, status=JobStatus.COMPLETE, duration=1.0, objects=(made,))
        for index, made in enumerate((first, second))
    )
    await node.report(ref, Finished(inputs=(), outputs=outputs, encode_seconds=1.0))
    await eventually(lambda: list(service.state.rglob("bucket/a.mp4")))
    service.clock.pass_seconds(3600)
    await until(tenant, job_id, "Error")
    assert (await tenant.get("/v1/quotas")).json["stored_bytes"]["used"] == first.size
    assert await tenant.keys() == ["a.mp4"]


def two_outputs(pipeline: str) -> list[dict[str, Any]]:
    output = a_document(pipeline)["outputs"][0]
    return [{**output, "key": key} for key in ("a.mp4", "b.mp4")]


async def test_a_storage_that_stays_broken_fails_the_job_in_the_end(
    service: Service, tenant: Caller, pipeline: str, node: Node, storage: Storage
) -> None:
    storage.broken = {str(tenant.tenant_id)}
    job_id = await report(tenant, pipeline, node)
    service.clock.pass_seconds(3599.999)
    tried = len(storage.tried)
    await eventually(lambda: len(storage.tried) > tried + 2)
    assert await status(tenant, job_id) == "Progressing"
    service.clock.pass_seconds(0.001)
    await until(tenant, job_id, "Error")
    detail = (await tenant.get(f"/v1/jobs/{job_id}")).json["status_detail"]
    assert detail["code"] == FailureCode.STORAGE_ERROR
    assert "storage" in detail["message"]
