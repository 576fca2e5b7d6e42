"""Jobs, as clients of Elastic Transcoder make, read, list and cancel them, on both databases."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from controlplane.dialects.elastictranscoder.paging import PAGE
from controlplane.store.port import Store
from controlplane.store.postgres import PostgresStore
from controlplane.store.sqlite import SqliteStore
from shared.failures import Cause, Failure, FailureCode
from shared.protocol import DetectedProperties, Finished, OutputResult
from shared.statuses import JobStatus
from tests.builders import produced
from tests.contract.api.service import Caller, Node, Service, serving
from tests.contract.dialects.elastictranscoder.client import VERSION, Client, told
from tests.postgres import postgres_cluster
from tests.wire_fields import carries

MP4 = "1351620000001-000010"
HLS = "1351620000001-200030"
OTHER = "1763750000000-nobody"
LICENSED = {
    "Format": "microsoft",
    "Key": "AAECAwQFBgcICQoLDA0ODw==",
    "KeyMd5": "GsHvAelsrxvg0ykzGk/CqA==",
    "KeyId": "00000000-0000-0000-0000-00000000000a",
    "LicenseAcquisitionUrl": "https://licences.example.com",
}

__all__ = ["postgres_cluster"]


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "transcoder.db")
    return await PostgresStore.open(await request.getfixturevalue("postgres_cluster").fresh_dsn())


@pytest.fixture
async def service(tmp_path: Path, store: Store) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", store=store) as service:
        yield service


EXISTS = Failure(cause=Cause.INPUT, code=FailureCode.OUTPUT_EXISTS, message="There is an out-1.mp4 already.")


def a_job(pipeline: str, **changes: Any) -> dict[str, Any]:
    return {
        "PipelineId": pipeline,
        "Inputs": [{"Key": "in.mp4"}],
        "Outputs": [{"Key": "out.mp4", "PresetId": MP4}],
    } | changes


async def made(client: Client, pipeline: str, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/jobs", a_job(pipeline, **changes))
    assert answer.status == 201, answer.content
    job: dict[str, Any] = answer.json["Job"]
    return job


async def read(client: Client, job_id: str) -> dict[str, Any]:
    answer = await client.get(f"/jobs/{job_id}")
    assert answer.status == 200, answer.content
    job: dict[str, Any] = answer.json["Job"]
    return job


def finished(*statuses: JobStatus) -> Finished:
    outputs = [
        OutputResult(
            index=index,
            status=status,
            width=1280,
            height=720,
            frame_rate=25.0,
            duration=10.04,
            size=10,
            objects=(produced(f"out-{index}.mp4"),),
        )
        if status is JobStatus.COMPLETE
        else OutputResult(index=index, status=JobStatus.ERROR, failure=EXISTS)
        for index, status in enumerate(statuses)
    ]
    file = DetectedProperties(width=640, height=360, frame_rate=25.0, duration=10.0, size=10)
    return Finished(inputs=(file,), outputs=tuple(outputs), encode_seconds=1.0)


class TestCreating:
    @carries(
        "Input", "Output", "Inputs[].Key", "Outputs[].Key", "Outputs[].PresetId", "OutputKeyPrefix", "UserMetadata"
    )
    async def test_a_job_is_answered_in_full_and_read_as_it_was_answered(self, client: Client, pipeline: str) -> None:
        job = await made(client, pipeline, OutputKeyPrefix="p/", UserMetadata={"Food type": "Italian"})
        assert re.fullmatch(r"\d{13}-\w{6}", job["Id"])
        account = client.caller.tenant_id
        assert job["Arn"] == f"arn:aws:elastictranscoder:us-east-1:{account}:job/{job['Id']}"
        assert (job["Input"], job["Output"]) == (job["Inputs"][0], job["Outputs"][0])
        assert (job["Status"], job["Output"]["Status"], job["Output"]["Id"]) == ("Submitted", "Submitted", "1")
        assert (job["Playlists"], job["Output"]["Watermarks"]) == ([], [])
        assert job["UserMetadata"] == {"Food type": "Italian"}
        assert isinstance(job["Timing"]["SubmitTimeMillis"], int)
        assert await read(client, job["Id"]) == job

    async def test_the_native_job_is_the_same_one(self, client: Client, pipeline: str) -> None:
        job = await made(client, pipeline, UserMetadata={"a": "b"})
        native = (await client.caller.get(f"/v1/jobs/{job['Id']}")).json
        assert (native["pipeline_id"], native["metadata"]) == (pipeline, {"a": "b"})

    async def test_one_input_and_one_output_by_their_older_names(self, client: Client, pipeline: str) -> None:
        one = {"Input": {"Key": "in.mp4"}, "Output": {"Key": "out.mp4", "PresetId": MP4}}
        job = await made(client, pipeline, Inputs=None, Outputs=None, **one)
        assert (len(job["Inputs"]), len(job["Outputs"])) == (1, 1)

    async def test_a_body_is_json_whatever_its_type_says(self, client: Client, pipeline: str) -> None:
        body = json.dumps(a_job(pipeline)).encode()
        for kind in ("application/x-www-form-urlencoded", "application/json"):
            answer = await client.call("POST", "/jobs", body, headers={"Content-Type": kind})
            assert answer.status == 201, answer.content

    @carries("Outputs[].PresetId")
    async def test_an_id_that_was_given_up_is_answered_as_it_was_sent(self, client: Client, pipeline: str) -> None:
        job = await made(client, pipeline, Outputs=[{"Key": "o", "PresetId": "1351620000000-100080"}])
        assert job["Output"]["PresetId"] == "1351620000000-100080"

    async def test_a_preset_of_ones_own(self, client: Client, pipeline: str, service: Service) -> None:
        preset = {"Name": "p", "Container": "mp3", "Audio": {"Codec": "mp3", "SampleRate": "44100", "BitRate": "128"}}
        preset_id = (await client.post("/presets", preset)).json["Preset"]["Id"]
        job = await made(client, pipeline, Outputs=[{"Key": "o", "PresetId": preset_id}])
        assert job["Output"]["PresetId"] == preset_id
        stranger = await Client.of(await service.tenant("other"))
        theirs = await stranger.caller.pipeline()
        refused = await stranger.post("/jobs", a_job(theirs, Outputs=[{"Key": "o", "PresetId": preset_id}]))
        account = stranger.caller.tenant_id
        assert told(refused) == (
            404,
            "ResourceNotFoundException",
            f"The specified preset was not found: account={account}, presetId={preset_id}.",
        )

    @pytest.mark.parametrize("whose", ["nobody's", "another's"])
    async def test_an_unknown_pipeline(self, client: Client, pipeline: str, service: Service, whose: str) -> None:
        wanted = OTHER
        if whose == "another's":
            wanted = await (await service.tenant("other")).pipeline()
        assert told(await client.post("/jobs", a_job(wanted))) == (
            404,
            "ResourceNotFoundException",
            f"The specified pipeline was not found: account={client.caller.tenant_id}, pipelineId={wanted}.",
        )

    @carries("Encryption.Key", "Encryption.KeyMd5", "Encryption.InitializationVector")
    async def test_keys_are_answered_sealed(self, client: Client, pipeline: str) -> None:
        key, vector = "c2l4dGVlbiBieXRlcyEhIQ==", "MDEyMzQ1Njc4OWFiY2RlZg=="
        encryption = {"Mode": "aes-cbc-pkcs7", "Key": key, "InitializationVector": vector}
        output = {"Key": "o", "PresetId": MP4, "Encryption": {"Mode": "aes-ctr"}}
        answer = await client.post(
            "/jobs", a_job(pipeline, Inputs=[{"Key": "in.mp4", "Encryption": encryption}], Outputs=[output])
        )
        assert answer.status == 201, answer.content
        assert key.encode() not in answer.content
        job = answer.json["Job"]
        assert job["Input"]["Encryption"]["InitializationVector"] == vector
        assert job["Output"]["Encryption"].keys() == {"Mode", "Key", "KeyMd5", "InitializationVector"}
        again = await made(client, pipeline, Inputs=[job["Input"]], Outputs=[output])
        assert again["Input"]["Encryption"]["KeyMd5"] == job["Input"]["Encryption"]["KeyMd5"]
        assert key not in json.dumps([again, await read(client, job["Id"])])

    async def test_what_was_asked_for_at_once_is_made_at_once(self, client: Client, pipeline: str) -> None:
        """Callers share a transaction, and each has a token of its own."""
        jobs = await asyncio.gather(
            *(made(client, pipeline, UserMetadata={"number": str(number)}) for number in range(16))
        )
        assert len({job["Id"] for job in jobs}) == 16
        assert sorted(job["UserMetadata"]["number"] for job in jobs) == sorted(map(str, range(16)))


class TestRefusing:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            (
                {"PipelineId": "unknown"},
                r"Value 'unknown' at 'pipelineId' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: ^\d{13}-\w{6}$",
            ),
            ({"PipelineId": None}, "Value null at 'pipelineId' failed to satisfy constraint: Member must not be null"),
            (
                {"Inputs": [{"Key": ""}]},
                "Value '' at 'inputs.1.member.key' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1",
            ),
            (
                {"Inputs": [{"Key": "a", "FrameRate": "26"}]},
                "Value '26' at 'inputs.1.member.frameRate' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (^auto$)|(^10$)|(^15$)|(^23.97$)|(^24$)|"
                "(^25$)|(^29.97$)|(^30$)|(^50$)|(^60$)",
            ),
            (
                {"Outputs": [{"Key": "o", "PresetId": MP4}, {"Key": "p"}]},
                "Value null at 'outputs.2.member.presetId' failed to satisfy constraint: Member must not be null",
            ),
            (
                {"Outputs": [{"Key": "o", "PresetId": MP4}, {"Key": "o", "PresetId": MP4}]},
                "Value 'o' at 'outputs.2.member.key' failed to satisfy constraint: Two outputs have this key.",
            ),
            (
                {"Outputs": [{"Key": "o", "PresetId": HLS, "SegmentDuration": "61"}]},
                "Value '61' at 'outputs.1.member.segmentDuration' failed to satisfy constraint: "
                "Member must have value less than or equal to 60",
            ),
            (
                {"Outputs": [{"Key": "o", "PresetId": HLS, "Captions": {}}]},
                "Value null at 'outputs.1.member.captions.captionFormats' failed to satisfy constraint: "
                "Member must not be null",
            ),
            (
                {"Playlists": [{"Name": "m", "Format": "HLSv3", "OutputKeys": ["out.mp4"]}]},
                "Value 'out.mp4' at 'playlists.1.member.outputKeys.1.member' failed to satisfy constraint: "
                "An HLS playlist takes ts outputs with a SegmentDuration.",
            ),
            (
                {"Surprise": 1},
                "Value at 'surprise' failed to satisfy constraint: Member must be one that this operation has",
            ),
            (
                {
                    "Outputs": [{"Key": "o", "PresetId": HLS, "SegmentDuration": "6"}],
                    "Playlists": [{"Name": "m", "Format": "HLSv3", "OutputKeys": ["o"], "PlayReadyDrm": LICENSED}],
                },
                "Value at 'playlists.1.member.playReadyDrm' failed to satisfy constraint: HLSv3 has no PlayReadyDrm.",
            ),
            (
                {"Inputs": [{"Key": "a", "Encryption": {"Mode": "s3"}}]},
                "Value 's3' at 'inputs.1.member.encryption.mode' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (^aes-cbc-pkcs7$)|(^aes-ctr$)|(^aes-gcm$)",
            ),
        ],
    )
    async def test_what_breaks_a_rule_is_told_with_its_place(
        self, client: Client, pipeline: str, changes: dict[str, Any], sentence: str
    ) -> None:
        refused = await client.post("/jobs", a_job(pipeline, **changes))
        assert told(refused) == (400, "ValidationException", f"1 validation error detected: {sentence}")

    async def test_all_that_breaks_a_rule_is_told_at_once(self, client: Client, pipeline: str) -> None:
        refused = await client.post("/jobs", a_job("x", Inputs=[{"Key": "a", "Rotate": "1"}], Playlists=[{}]))
        assert told(refused)[2].startswith("5 validation errors detected: ")

    async def test_both_ways_of_saying_one_thing(self, client: Client, pipeline: str) -> None:
        refused = await client.post("/jobs", a_job(pipeline, Input={"Key": "a"}))
        assert told(refused) == (400, "ValidationException", "[Input and Inputs are mutually exclusive.]")

    async def test_nothing_is_made_of_what_is_refused(self, client: Client, pipeline: str) -> None:
        await client.post("/jobs", a_job(pipeline, Outputs=[{"Key": "../o", "PresetId": MP4}]))
        assert (await client.get("/jobsByStatus/Submitted")).json["Jobs"] == []

    async def test_more_than_may_wait(self, client: Client, pipeline: str, operator: Caller) -> None:
        limits = f"/v1/tenants/{client.caller.tenant_id}/quotas"
        assert (await operator.call("PUT", limits, {"queued_jobs": 1})).status == 200
        await made(client, pipeline)
        refused = await client.post("/jobs", a_job(pipeline, OutputKeyPrefix="p/"))
        assert told(refused)[:2] == (429, "LimitExceededException")
        assert int(refused.headers["x-amz-retry-after"]) > 0


class TestSendingAgain:
    async def test_the_very_same_request_is_answered_with_the_first_job(self, client: Client, pipeline: str) -> None:
        body = json.dumps(a_job(pipeline)).encode()
        headers = client.signed("POST", f"{VERSION}/jobs", body)
        answers = await asyncio.gather(*(client.send("POST", f"{VERSION}/jobs", body, headers) for _ in range(8)))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json["Job"]["Id"] for answer in answers}) == 1
        assert len((await client.get("/jobsByStatus/Submitted")).json["Jobs"]) == 1

    async def test_also_when_what_it_names_is_gone(self, client: Client) -> None:
        pipeline = await client.caller.pipeline()
        body = json.dumps(a_job(pipeline)).encode()
        headers = client.signed("POST", f"{VERSION}/jobs", body)
        first = await client.send("POST", f"{VERSION}/jobs", body, headers)
        await client.delete(f"/jobs/{first.json['Job']['Id']}")
        assert (await client.caller.call("DELETE", f"/v1/pipelines/{pipeline}")).status == 204
        again = await client.send("POST", f"{VERSION}/jobs", body, headers)
        assert (again.status, again.json["Job"]["Id"]) == (201, first.json["Job"]["Id"])
        assert again.json["Job"]["Status"] == "Canceled"

    async def test_the_same_job_asked_for_anew_is_another_one(
        self, client: Client, pipeline: str, service: Service
    ) -> None:
        first = await made(client, pipeline)
        service.clock.pass_seconds(1)
        assert (await made(client, pipeline))["Id"] != first["Id"]


class TestCancelling:
    async def test_a_job_that_waits_is_canceled_once(self, client: Client, pipeline: str) -> None:
        job = await made(client, pipeline)
        answer = await client.delete(f"/jobs/{job['Id']}")
        assert (answer.status, answer.json) == (202, {"Success": "true"})
        assert (await read(client, job["Id"]))["Status"] == "Canceled"
        assert told(await client.delete(f"/jobs/{job['Id']}")) == (
            409,
            "ResourceInUseException",
            "Only a Submitted job can be cancelled; this one is Canceled.",
        )

    async def test_a_job_that_runs_is_not(self, client: Client, pipeline: str, node: Node) -> None:
        job = await made(client, pipeline)
        await node.take()
        assert told(await client.delete(f"/jobs/{job['Id']}"))[:2] == (409, "ResourceInUseException")
        assert (await read(client, job["Id"]))["Status"] == "Progressing"

    async def test_nor_another_tenants_nor_one_that_nobody_has(
        self, client: Client, pipeline: str, service: Service
    ) -> None:
        job_id = (await made(client, pipeline))["Id"]
        stranger = await Client.of(await service.tenant("other"))
        account = stranger.caller.tenant_id
        for wanted in (job_id, OTHER):
            for call in (stranger.delete, stranger.get):
                assert told(await call(f"/jobs/{wanted}")) == (
                    404,
                    "ResourceNotFoundException",
                    f"The specified job was not found: account={account}, jobId={wanted}.",
                )
        assert (await read(client, job_id))["Status"] == "Submitted"

    async def test_pause_list_cancel_resume(self, client: Client, pipeline: str, node: Node) -> None:
        await client.caller.post(f"/v1/pipelines/{pipeline}/pause")
        jobs = [(await made(client, pipeline, UserMetadata={"number": str(number)}))["Id"] for number in range(3)]
        assert await node.orders(wait=0) == []
        listed = (await client.get("/jobsByStatus/Submitted?Ascending=true")).json["Jobs"]
        assert [job["Id"] for job in listed] == jobs
        await client.delete(f"/jobs/{jobs[0]}")
        await client.caller.post(f"/v1/pipelines/{pipeline}/resume")
        started = [order["ref"]["task_id"] for order in await node.orders()]
        assert started == [f"{job_id}-0" for job_id in jobs[1:]]


class TestWorking:
    async def test_a_job_is_told_through_its_life(
        self, client: Client, pipeline: str, node: Node, service: Service
    ) -> None:
        outputs = [{"Key": f"out-{number}.mp4", "PresetId": MP4} for number in range(2)]
        job_id = (await made(client, pipeline, Outputs=outputs))["Id"]
        service.clock.pass_seconds(1)
        order = await node.take()
        job = await read(client, job_id)
        assert [job["Status"], *(one["Status"] for one in job["Outputs"])] == [
            "Progressing",
            "Progressing",
            "Submitted",
        ]
        assert "FinishTimeMillis" not in job["Timing"]
        report = finished(JobStatus.COMPLETE, JobStatus.ERROR)
        await node.stage(order.ref, produced("out-0.mp4"))
        service.clock.pass_seconds(1)
        await node.report(order.ref, report)
        async with asyncio.timeout(10):
            while (job := await read(client, job_id))["Status"] == "Progressing":  # noqa: ASYNC110 (the publisher works on its own)
                await asyncio.sleep(0.01)
        first, second = job["Outputs"]
        assert (job["Status"], first["Status"], second["Status"]) == ("Error", "Complete", "Error")
        assert second["StatusDetail"].startswith("3002 ")
        assert (first["Duration"], first["DurationMillis"], first["FrameRate"]) == (11, 10040, "25")
        assert job["Input"]["DetectedProperties"]["DurationMillis"] == 10000
        submitted, started, ended = (job["Timing"][f"{name}TimeMillis"] for name in ("Submit", "Start", "Finish"))
        assert submitted < started < ended

    async def test_native_jobs_are_told_too(self, client: Client, pipeline: str) -> None:
        job_id = await client.caller.submit(pipeline, priority=3, metadata={"a": "b"})
        job = await read(client, job_id)
        assert (job["UserMetadata"], "PresetId" in job["Output"]) == ({"a": "b"}, False)


class TestListing:
    async def test_every_job_is_listed_once_over_three_pages(self, client: Client, pipeline: str) -> None:
        made_ids = [await client.caller.submit(pipeline) for _ in range(2 * PAGE + 3)]
        for path in (f"/jobsByPipeline/{pipeline}", "/jobsByStatus/Submitted"):
            assert await listed(client, f"{path}?Ascending=true") == [made_ids[:PAGE], made_ids[PAGE:-3], made_ids[-3:]]
            newest = made_ids[::-1]
            assert await listed(client, f"{path}?Ascending=false") == [newest[:PAGE], newest[PAGE:-3], newest[-3:]]
            assert (await listed(client, path))[0] == newest[:PAGE]

    async def test_only_what_is_asked_for(self, client: Client, pipeline: str) -> None:
        other = await client.caller.pipeline("elsewhere")
        here, there = await client.caller.submit(pipeline), await client.caller.submit(other)
        await client.delete(f"/jobs/{here}")
        assert await listed(client, "/jobsByStatus/Canceled") == [[here]]
        assert await listed(client, "/jobsByStatus/Submitted") == [[there]]
        assert await listed(client, f"/jobsByPipeline/{other}") == [[there]]
        assert await listed(client, "/jobsByStatus/Complete") == [[]]

    async def test_nothing_older_than_six_months(self, client: Client, pipeline: str, service: Service) -> None:
        await client.caller.submit(pipeline)
        service.clock.pass_seconds(185 * 86_400)
        recent = await client.caller.submit(pipeline)
        assert await listed(client, f"/jobsByPipeline/{pipeline}") == [[recent]]
        assert await listed(client, "/jobsByStatus/Submitted?Ascending=true") == [[recent]]

    async def test_nothing_of_anothers(self, client: Client, pipeline: str, service: Service) -> None:
        await client.caller.submit(pipeline)
        stranger = await Client.of(await service.tenant("other"))
        assert await listed(stranger, "/jobsByStatus/Submitted") == [[]]
        assert told(await stranger.get(f"/jobsByPipeline/{pipeline}")) == (
            404,
            "ResourceNotFoundException",
            f"The specified pipeline was not found: account={stranger.caller.tenant_id}, pipelineId={pipeline}.",
        )

    @pytest.mark.parametrize(
        ("path", "sentence"),
        [
            (
                "/jobsByStatus/Done",
                "Value 'Done' at 'status' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (^Submitted$)|(^Progressing$)|(^Complete$)|(^Canceled$)|(^Error$)",
            ),
            (
                "/jobsByStatus/Error?Ascending=yes",
                "Value 'yes' at 'ascending' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (^true$)|(^false$)",
            ),
            (
                "/jobsByStatus/Error?PageToken=x",
                r"Value 'x' at 'pageToken' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: ^\d{13}-\w{6}$",
            ),
            (
                "/jobsByPipeline/x",
                r"Value 'x' at 'pipelineId' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: ^\d{13}-\w{6}$",
            ),
            (
                "/jobs/x",
                r"Value 'x' at 'id' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: ^\d{13}-\w{6}$",
            ),
        ],
    )
    async def test_what_breaks_a_rule_is_told(self, client: Client, path: str, sentence: str) -> None:
        assert told(await client.get(path)) == (
            400,
            "ValidationException",
            f"1 validation error detected: {sentence}",
        )


async def listed(client: Client, path: str) -> Sequence[Sequence[str]]:
    """The ids on every page, until there are no more."""
    pages, token = [], ""
    while token is not None:
        separator = "&" if "?" in path else "?"
        answer = await client.get(path + (f"{separator}PageToken={token}" if token else ""))
        assert answer.status == 200, answer.content
        pages.append([job["Id"] for job in answer.json["Jobs"]])
        token = answer.json["NextPageToken"]
    return pages
