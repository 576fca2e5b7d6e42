"""A job as it is answered."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from controlplane.dialects.elastictranscoder.jobs import answers
from controlplane.store.records import Job
from shared.failures import Cause, Failure, FailureCode
from shared.ids import Attempt, JobId, PipelineId, TaskId, TenantId
from shared.jobspec import JobDocument
from shared.protocol import DetectedProperties, OutputProgress, OutputResult, PlaylistResult, Progress
from shared.statuses import JobStatus, Phase, TaskState

ID = "1763750000000-a1b2c3"
ARN = "arn:aws:elastictranscoder:us-east-1:123456789012:job/"
DOCUMENT: dict[str, Any] = {
    "pipeline_id": "1763740000000-p1p2p3",
    "inputs": [{"key": "in.mp4"}],
    "outputs": [
        {"key": "a", "preset_id": "1351620000001-200030", "segment_duration": 6},
        {"key": "b.mp4", "preset_id": "1351620000001-000010"},
    ],
    "playlists": [{"name": "m", "format": "HLSv3", "output_keys": ["a"]}],
}
MISSING = Failure(cause=Cause.INPUT, code=FailureCode.INPUT_MISSING, message="There is no in.mp4.")


def a_job(status: JobStatus, document: dict[str, Any] | None = None, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "id": JobId(ID),
        "tenant_id": TenantId("123456789012"),
        "pipeline_id": PipelineId("1763740000000-p1p2p3"),
        "cluster_id": None,
        "status": status,
        "document": JobDocument.model_validate(document or DOCUMENT, strict=False).model_dump_json(),
        "result": None,
        "retry_of": None,
        "submitted_at": 1763750000000,
        "started_at": None,
        "finished_at": None,
        "task_id": TaskId(f"{ID}-0"),
        "task_state": TaskState.WAITING,
        "attempt": Attempt(0),
        "node_id": None,
        "progress": None,
        "not_before": 0,
        "need": "{}",
        "pipeline_status": "Active",
        "tenant_is_full": False,
        "user_is_full": False,
    }
    return Job(**(fields | changes))


def answered(job: Job, progress: Progress | None = None) -> dict[str, Any]:
    """As it comes over the wire."""
    found: dict[str, Any] = json.loads(orjson.dumps(answers.job(job, progress, ARN)))
    return found


def result(**parts: Any) -> str:
    return orjson.dumps(parts, default=lambda model: model.model_dump()).decode()


def test_a_job_that_waits() -> None:
    one = {
        "Key": "in.mp4",
        "FrameRate": "auto",
        "Resolution": "auto",
        "AspectRatio": "auto",
        "Interlaced": "auto",
        "Container": "auto",
    }
    first = {
        "Id": "1",
        "Key": "a",
        "PresetId": "1351620000001-200030",
        "SegmentDuration": "6",
        "Rotate": "auto",
        "Watermarks": [],
        "Status": "Submitted",
    }
    second = {
        "Id": "2",
        "Key": "b.mp4",
        "PresetId": "1351620000001-000010",
        "Rotate": "auto",
        "Watermarks": [],
        "Status": "Submitted",
    }
    assert answered(a_job(JobStatus.SUBMITTED)) == {
        "Id": ID,
        "Arn": f"{ARN}{ID}",
        "PipelineId": "1763740000000-p1p2p3",
        "Input": one,
        "Inputs": [one],
        "Output": first,
        "Outputs": [first, second],
        "Playlists": [{"Name": "m", "Format": "HLSv3", "OutputKeys": ["a"], "Status": "Submitted"}],
        "Status": "Submitted",
        "UserMetadata": {},
        "Timing": {"SubmitTimeMillis": 1763750000000},
    }


def test_what_is_worked_on_and_what_is_not_yet() -> None:
    told = (OutputProgress(index=0, status=JobStatus.ERROR, failure=MISSING),)
    progress = Progress(phase=Phase.ENCODING, percent=40, outputs=told)
    job = answered(a_job(JobStatus.PROGRESSING, started_at=1763750001000), progress)
    assert [job["Status"], *(output["Status"] for output in job["Outputs"])] == ["Progressing", "Error", "Submitted"]
    assert job["Outputs"][0]["StatusDetail"] == f"3001 {ID}: There is no in.mp4."
    assert job["Timing"] == {"SubmitTimeMillis": 1763750000000, "StartTimeMillis": 1763750001000}


def test_figures_are_numbers_and_only_rates_are_texts() -> None:
    outputs = [
        OutputResult(
            index=0,
            status=JobStatus.COMPLETE,
            width=1280,
            height=720,
            frame_rate=30000 / 1001,
            duration=61.2345,
            size=1_000_000,
            applied_color_space_conversion="None",
        ),
        OutputResult(index=1, status=JobStatus.ERROR, failure=MISSING),
    ]
    found = answered(
        a_job(
            JobStatus.ERROR,
            started_at=1763750001000,
            finished_at=1763750002000,
            result=result(
                inputs=[DetectedProperties(width=640, height=360, frame_rate=25.0, duration=61.2, size=5)],
                outputs=outputs,
                playlists=[PlaylistResult(index=0, status=JobStatus.COMPLETE)],
            ),
        )
    )
    assert found["Input"]["DetectedProperties"] == {
        "Width": 640,
        "Height": 360,
        "FrameRate": "25",
        "FileSize": 5,
        "DurationMillis": 61200,
    }
    first, second = found["Outputs"]
    assert {
        name: first[name] for name in ("Width", "Height", "FrameRate", "FileSize", "Duration", "DurationMillis")
    } == {
        "Width": 1280,
        "Height": 720,
        "FrameRate": "29.97",
        "FileSize": 1_000_000,
        "Duration": 62,
        "DurationMillis": 61234,
    }
    assert first["AppliedColorSpaceConversion"] == "None"
    assert "StatusDetail" not in first
    assert second["StatusDetail"].startswith("3001 ")
    assert "Width" not in second
    assert found["Playlists"][0]["Status"] == "Complete"
    assert found["Timing"]["FinishTimeMillis"] == 1763750002000


def test_a_file_of_sound_has_no_size_and_no_rate() -> None:
    found = answered(a_job(JobStatus.PROGRESSING, result=result(inputs=[DetectedProperties(duration=1.0, size=5)])))
    assert found["Inputs"][0]["DetectedProperties"] == {"FileSize": 5, "DurationMillis": 1000}


def test_one_reason_for_everything_is_told_of_every_part() -> None:
    job = answered(a_job(JobStatus.ERROR, result=result(failure=MISSING)))
    parts = [*job["Outputs"], *job["Playlists"]]
    assert {part["StatusDetail"] for part in parts} == {f"3001 {ID}: There is no in.mp4."}
    assert {part["Status"] for part in parts} == {"Error"}


def test_a_reason_has_no_more_than_255_characters() -> None:
    failure = MISSING.model_copy(update={"message": "é" * 255})
    (detail,) = {
        part["StatusDetail"] for part in answered(a_job(JobStatus.ERROR, result=result(failure=failure)))["Outputs"]
    }
    assert len(detail) == 255


def test_a_canceled_job_never_began() -> None:
    job = answered(a_job(JobStatus.CANCELED, finished_at=1763750005000))
    assert [output["Status"] for output in job["Outputs"]] == ["Canceled", "Canceled"]
    assert job["Timing"] == {"SubmitTimeMillis": 1763750000000, "FinishTimeMillis": 1763750005000}


@pytest.mark.parametrize(
    ("seconds", "text"), [(62.5, "62.500"), (1, "1.000"), ("00:01:02.500", "00:01:02.500"), (604_800, "604800.000")]
)
def test_times_of_native_jobs_are_seconds(seconds: float | str, text: str) -> None:
    document = {**DOCUMENT, "inputs": [{"key": "in.mp4", "clip": {"start": seconds, "duration": seconds}}]}
    job = answered(a_job(JobStatus.SUBMITTED, document))
    assert job["Input"]["TimeSpan"] == {"StartTime": text, "Duration": text}


def test_what_only_native_jobs_say_is_left_out_or_told_as_it_is() -> None:
    document = {
        **DOCUMENT,
        "priority": 5,
        "inputs": [
            {
                "key": "in.mp4",
                "sha256": "0" * 64,
                "captions": {"sources": [{"key": "c", "language": "en", "offset": -1.5}]},
            }
        ],
        "outputs": [
            {
                "key": "v",
                "settings": {"container": "fmp4", "video": {"codec": "hevc", "fixed_gop": True}},
                "thumbnails": {"pattern": "t/{count}", "sprite": {"key": "s"}},
                "clip": {"start": 1.5},
                "segment_duration": 2.125,
            }
        ],
        "playlists": [{"name": "m", "format": "CMAF", "output_keys": ["v"]}],
    }
    job = answered(a_job(JobStatus.SUBMITTED, document))
    assert job["Input"]["InputCaptions"]["CaptionSources"] == [{"Key": "c", "Language": "en", "TimeOffset": "-1.500"}]
    assert job["Output"] == {
        "Id": "1",
        "Key": "v",
        "ThumbnailPattern": "t/{count}",
        "SegmentDuration": "2.125",
        "Composition": [{"TimeSpan": {"StartTime": "1.500"}}],
        "Rotate": "auto",
        "Watermarks": [],
        "Status": "Submitted",
    }
    assert job["Playlists"][0]["Format"] == "CMAF"
