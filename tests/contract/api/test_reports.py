"""What becomes of attempts that are reported: published once, or refused."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from controlplane.http.keys import PUBLISHER
from controlplane.store.operations import results
from shared.failures import Cause
from shared.ids import LeaseId
from shared.protocol import (
    AttemptRef,
    Failed,
    Finished,
    HandedBack,
    OutputResult,
    PlaylistResult,
    ReportRequest,
    StagedFile,
    UrlsRequest,
)
from shared.statuses import JobStatus
from tests.builders import a_failure, eventually, finished, finished_hls, hls_document, produced
from tests.contract.api.service import OUT, Caller, Node, Service, serving
from tests.fields import shows


class TestReports:
    async def run(self, tenant: Caller, pipeline: str, node: Node, **changes: object) -> tuple[str, AttemptRef]:
        job_id = await tenant.submit(pipeline, **changes)
        return job_id, (await node.take()).ref

    async def test_a_finished_job_is_complete_when_its_objects_are_visible(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await self.run(tenant, pipeline, node)
        await node.stage(ref, OUT)
        assert await tenant.keys() == []
        assert (await node.report(ref, finished())).json["task_state"] == "Publishing"
        await until(tenant, job_id, "Complete")
        assert (await tenant.download("out.mp4")).content == b"x" * OUT.size
        view = (await tenant.get(f"/v1/jobs/{job_id}")).json
        assert view["outputs"][0]["objects"] == [
            {"key": "out.mp4", "size": 10, "role": "media", "initialization_vector": None}
        ]
        assert view["inputs"][0]["detected"]["width"] == 640

    async def test_the_same_report_again_is_answered_after_the_end(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await self.run(tenant, pipeline, node)
        await node.stage(ref, OUT)
        await node.report(ref, finished())
        await until(tenant, job_id, "Complete")
        assert (await node.report(ref, finished())).json["task_state"] == "Succeeded"
        assert (await node.report(ref, HandedBack(reason="no"))).code == "stale_lease"

    async def test_a_report_of_what_was_not_delivered_fails_the_attempt_and_is_answered_alike_again(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await self.run(tenant, pipeline, node)
        for _ in range(2):
            assert (await node.report(ref, finished())).json["task_state"] == "Waiting"
        assert await tenant.status(job_id) == "Progressing"
        assert await tenant.keys() == []

    @pytest.mark.parametrize(
        "report",
        [
            finished(produced("elsewhere.mp4")),
            finished(produced("../out.mp4")),
            finished(produced("out.mp4"), produced("out.mp4", name="another")),
            finished(produced("out.mp4", name="../../../secret")),
            finished(produced("out.mp4", name="../other.1/out.mp4")),
            finished().model_copy(update={"outputs": ()}),
            finished().model_copy(update={"outputs": finished().outputs * 2}),
            finished().model_copy(update={"outputs": (OutputResult(index=7, status=JobStatus.ERROR),)}),
            finished().model_copy(update={"outputs": (OutputResult(index=-1, status=JobStatus.ERROR),)}),
            finished().model_copy(update={"outputs": (OutputResult(index=0, status=JobStatus.COMPLETE),)}),
            finished().model_copy(update={"playlists": (PlaylistResult(index=3, status=JobStatus.ERROR),)}),
        ],
        ids=[
            "a key that was not asked for",
            "a key outside",
            "one key twice",
            "a name outside",
            "a name in another attempt",
            "no outputs",
            "an output twice",
            "an output too many",
            "an output of no number",
            "an output without objects",
            "a playlist too many",
        ],
    )
    async def test_a_report_that_does_not_fit_its_job_counts_as_the_node_s_fault(
        self, tenant: Caller, pipeline: str, node: Node, service: Service, report: Finished
    ) -> None:
        job_id, ref = await self.run(tenant, pipeline, node)
        await node.stage(ref, OUT, produced("another"))
        bucket = service.state / "buckets" / str(tenant.tenant_id) / "bucket"
        (bucket / "secret").write_bytes(b"x" * 10)
        (bucket / ".transcoder" / "staging" / "other.1").mkdir()
        (bucket / ".transcoder" / "staging" / "other.1" / "out.mp4").write_bytes(b"x" * 10)
        assert (await node.report(ref, report)).json["task_state"] == "Waiting"
        assert await tenant.keys() == ["secret"]
        events = (await tenant.get(f"/v1/jobs/{job_id}/events")).json["items"]
        assert events[-1]["type"] == "requeued"

    async def test_an_object_that_is_in_the_way_fails_its_output_and_stays(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        await tenant.upload("out.mp4", b"older")
        job_id, ref = await self.run(tenant, pipeline, node)
        await node.stage(ref, OUT)
        await node.report(ref, finished())
        await until(tenant, job_id, "Error")
        output = (await tenant.get(f"/v1/jobs/{job_id}")).json["outputs"][0]
        assert output["status_detail"]["code"] == 3002
        assert (await tenant.download("out.mp4")).content == b"older"

    @pytest.mark.parametrize("obstacle", ["out.mp4/inside", "folder"])
    async def test_a_folder_or_an_object_on_the_way_fails_the_job_and_harms_nobody_else(
        self, tenant: Caller, pipeline: str, node: Node, obstacle: str
    ) -> None:
        await tenant.upload(obstacle, b"older")
        prefix = "folder/" if obstacle == "folder" else ""
        job_id, ref = await self.run(tenant, pipeline, node, output_key_prefix=prefix)
        await node.stage(ref, OUT)
        await node.report(ref, finished(produced(f"{prefix}out.mp4", name="out.mp4")))
        await until(tenant, job_id, "Error")
        other, ref = await self.run(tenant, pipeline, node, output_key_prefix="free/")
        await node.stage(ref, OUT)
        await node.report(ref, finished(produced("free/out.mp4", name="out.mp4")))
        await until(tenant, other, "Complete")

    async def test_a_name_too_long_for_the_disk_fails_the_job_and_not_the_service(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        key = "ü" * 140
        outputs = [{"key": key, "preset_id": "1351620000001-000010"}]
        job_id, ref = await self.run(tenant, pipeline, node, outputs=outputs)
        await node.stage(ref, produced("out"))
        await node.report(ref, finished(produced(key, name="out")))
        await until(tenant, job_id, "Error")

    async def test_results_that_vanished_from_staging_fail_the_job(
        self, tenant: Caller, pipeline: str, node: Node, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("controlplane.services.publishing.missing", lambda *_: [])
        job_id, ref = await self.run(tenant, pipeline, node)
        await node.report(ref, finished())
        await until(tenant, job_id, "Error")

    async def test_a_whole_ladder_becomes_visible_with_its_thumbnails_in_their_own_bucket(
        self, tenant: Caller, node: Node
    ) -> None:
        pipeline = await tenant.pipeline("bucket", "thumbs")
        job_id = (await tenant.post("/v1/jobs", hls_document(pipeline))).json["id"]
        ref = (await node.take()).ref
        report = finished_hls()
        made = [item for result in (*report.outputs, *report.playlists) for item in result.objects]
        await node.stage(ref, *made)
        await node.report(ref, report)
        await until(tenant, job_id, "Complete")
        assert await tenant.keys() == ["high.m3u8", "high00001.ts", "index.m3u8", "low.m3u8", "low00001.ts"]
        assert await tenant.keys("thumbs") == ["high-thumb-00001.png", "low-thumb-00001.png"]

    @shows("playlists[].status", "playlists[].status_detail")
    async def test_one_output_in_the_way_fails_the_playlist_that_names_it_and_not_its_sibling(
        self, tenant: Caller, node: Node
    ) -> None:
        pipeline = await tenant.pipeline("bucket")
        await tenant.upload("low.m3u8", b"older")
        job_id = (await tenant.post("/v1/jobs", hls_document(pipeline))).json["id"]
        ref = (await node.take()).ref
        report = finished_hls()
        await node.stage(ref, *[item for result in (*report.outputs, *report.playlists) for item in result.objects])
        await node.report(ref, report)
        await until(tenant, job_id, "Error")
        view = (await tenant.get(f"/v1/jobs/{job_id}")).json
        assert [output["status"] for output in view["outputs"]] == ["Error", "Complete"]
        assert view["playlists"][0]["status"] == "Error"
        assert "low00001.ts" not in await tenant.keys()

    async def test_publishing_goes_on_after_a_crash_between_any_two_steps(self, tmp_path: Path) -> None:
        """Each round publishes one object more before the process goes."""
        report = finished_hls()
        made = [item for result in (*report.outputs, *report.playlists) for item in result.objects]
        for steps in range(len(made) + 1):
            state = tmp_path / f"state {steps}"
            async with serving(state) as service:
                tenant, node = await service.tenant(), await service.node()
                job_id = (await tenant.post("/v1/jobs", hls_document(await tenant.pipeline("b", "thumbs")))).json["id"]
                order = await node.take()
                await node.stage(order.ref, *made)
                service.app[PUBLISHER]._put = lambda _: None  # type: ignore[method-assign] (the process is about to go)
                assert (await node.report(order.ref, report)).json["task_state"] == "Publishing"
                await publish_some(service, steps)
            async with serving(state) as service:
                again = Caller(service, tenant.key, tenant.tenant_id)
                await until(again, job_id, "Complete")
                assert len(await again.keys("b")) == 5
                assert len(await again.keys("thumbs")) == 2

    async def test_what_nobody_will_publish_is_removed_at_the_next_start(self, tmp_path: Path) -> None:
        state = tmp_path / "state"
        async with serving(state) as service:
            tenant, node = await service.tenant(), await service.node()
            await tenant.submit(await tenant.pipeline())
            order = await node.take()
            await node.stage(order.ref, OUT)
            hidden = state / "buckets" / str(tenant.tenant_id) / "bucket" / ".transcoder"
            (hidden / "staging" / f"{order.ref.task_id}.7").mkdir()
            (hidden / "staging" / "tk_gone.1").mkdir()
            (hidden / "uploads" / "old").touch()
            os.utime(hidden / "uploads" / "old", (1000, 1000))
        async with serving(state):
            kept = f"{order.ref.task_id}.{order.ref.attempt}"
            await eventually(lambda: os.listdir(hidden / "staging") == [kept] and os.listdir(hidden / "uploads") == [])

    async def test_a_report_whose_answer_nobody_waited_for_is_published_all_the_same(
        self, tenant: Caller, pipeline: str, node: Node, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job_id, ref = await self.run(tenant, pipeline, node)
        await node.stage(ref, OUT)
        write, committed, held = service.store.write_together, asyncio.Event(), asyncio.Event()

        async def slow(together: Any, *rest: Any) -> Any:
            result = await write(together, *rest)
            if together is results.finish:
                committed.set()
                await held.wait()
            return result

        monkeypatch.setattr(service.store, "write_together", slow)
        call = asyncio.create_task(node.report(ref, finished()))
        await committed.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.sleep(0.05)
        held.set()
        await until(tenant, job_id, "Complete")

    async def test_urls_are_only_for_the_live_attempt(self, tenant: Caller, pipeline: str, node: Node) -> None:
        _, ref = await self.run(tenant, pipeline, node)
        files = (StagedFile(name="out.mp4", size=1),)
        stale = ref.model_copy(update={"lease_id": LeaseId("other")})
        assert (await node.say("urls", UrlsRequest(ref=stale, files=files))).code == "stale_lease"
        await node.report(ref, HandedBack(reason="it drains"))
        assert (await node.say("urls", UrlsRequest(ref=ref, files=files))).code == "stale_lease"

    async def test_a_failed_input_ends_the_job_with_its_reason(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id, ref = await self.run(tenant, pipeline, node)
        assert (await node.report(ref, Failed(failure=a_failure(Cause.INPUT)))).json["task_state"] == "Failed"
        view = (await tenant.get(f"/v1/jobs/{job_id}")).json
        assert view["status"] == "Error"
        assert view["status_detail"]["message"] == "It broke."
        assert view["outputs"][0]["status"] == "Error"

    async def test_a_message_of_another_node_changes_nothing(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id, ref = await self.run(tenant, pipeline, node)
        other = await service.node()
        for message, name in ((ReportRequest(ref=ref, outcome=Failed(failure=a_failure())), "report"),):
            assert (await other.say(name, message)).code == "stale_lease"
        assert (await other.accept(ref)).code == "stale_lease"
        assert (await other.beat(ref)).json["verdicts"][0]["verdict"] == "drop"
        assert await tenant.status(job_id) == "Progressing"


async def publish_some(service: Service, steps: int) -> None:
    """What a process gets done of publishing before it is killed."""
    from controlplane.domain.results import in_publishing_order, objects_of
    from controlplane.services.files import JobFiles, attempt_name
    from controlplane.storage.files import staging_key
    from controlplane.store.operations import ending

    (task_id,) = await service.store.read(ending.to_publish())
    task = await service.store.read(ending.task(task_id))
    files = JobFiles.model_validate_json(task.files)
    staging = staging_key(attempt_name(task.id, task.attempt))
    for made in in_publishing_order(objects_of(Finished.model_validate_json(task.report or "")))[:steps]:
        files.staging.publish(f"{staging}/{made.name}", files.target(made), made.key)


async def until(tenant: Caller, job_id: str, status: str, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while await tenant.status(job_id) != status:  # noqa: ASYNC110 (a server is asked)
            await asyncio.sleep(0.01)
