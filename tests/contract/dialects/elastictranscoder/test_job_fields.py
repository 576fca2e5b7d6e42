"""Every field of jobs, as the vendor's model has them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from controlplane.commands.migration.comparing import Difference, differences
from shared.failures import Cause, Failure, FailureCode
from shared.protocol import DetectedProperties, Finished, OutputResult, PlaylistResult
from shared.statuses import JobStatus
from tests.builders import produced
from tests.compatibility import answers
from tests.contract.api.service import Node
from tests.contract.api.test_jobs import ended
from tests.contract.dialects.elastictranscoder.wire import Wire

KEY: Final = bytes(range(16))
SECRET: Final = {
    "Key": base64.b64encode(KEY).decode(),
    "KeyMd5": base64.b64encode(hashlib.md5(KEY, usedforsecurity=False).digest()).decode(),
    "InitializationVector": base64.b64encode(bytes(16)).decode(),
}
ENCRYPTED: Final = {"Mode": "aes-ctr", **SECRET}
SPAN: Final = {"StartTime": "00:00:01.500", "Duration": "2.000"}
SOURCE: Final = {"Key": "in.srt", "Language": "en", "TimeOffset": "1.500", "Label": "English", "Encryption": ENCRYPTED}
SIZING: Final = {"MaxWidth": "320", "MaxHeight": "240", "SizingPolicy": "Fit", "PaddingPolicy": "Pad"}
JOB: Final[dict[str, Any]] = {
    "Inputs": [
        {
            "Key": "in.mp4",
            "FrameRate": "25",
            "Resolution": "640x480",
            "AspectRatio": "4:3",
            "Interlaced": "true",
            "Container": "mp4",
            "Encryption": ENCRYPTED,
            "TimeSpan": SPAN,
            "InputCaptions": {"MergePolicy": "MergeRetain", "CaptionSources": [SOURCE]},
        }
    ],
    "OutputKeyPrefix": "out/",
    "Outputs": [
        {
            "Key": "film",
            "PresetId": "1351620000001-200040",
            "SegmentDuration": "6",
            "Rotate": "90",
            "ThumbnailPattern": "pictures/{count}",
            "ThumbnailEncryption": ENCRYPTED,
            "Watermarks": [{"PresetWatermarkId": "TopLeft", "InputKey": "logo.png", "Encryption": ENCRYPTED}],
            "Composition": [{"TimeSpan": SPAN}],
            "Captions": {"CaptionFormats": [{"Format": "webvtt", "Pattern": "captions-{language}"}]},
        },
        {
            "Key": "film.mp4",
            "PresetId": "1351620000001-000010",
            "Captions": {"CaptionFormats": [{"Format": "srt", "Pattern": "alone-{language}", "Encryption": ENCRYPTED}]},
        },
        {
            "Key": "sound.mp4",
            "PresetId": "1351620000001-100120",
            "Encryption": ENCRYPTED,
            "Rotate": "auto",
            "AlbumArt": {
                "MergePolicy": "Fallback",
                "Artwork": [{"InputKey": "cover.jpg", "AlbumArtFormat": "jpg", "Encryption": ENCRYPTED, **SIZING}],
            },
        },
    ],
    "Playlists": [
        {
            "Name": "index",
            "Format": "HLSv3",
            "OutputKeys": ["film"],
            "HlsContentProtection": {
                "Method": "aes-128",
                "LicenseAcquisitionUrl": "https://keys.example.com/k",
                "KeyStoragePolicy": "NoStore",
                **SECRET,
            },
        }
    ],
    "UserMetadata": {"film": "bunny"},
}


def but_for_keys(found: list[Difference]) -> list[Difference]:
    """Keys are answered sealed."""
    return [one for one in found if not one.field.endswith(".Key") or not (one.here or "").strip()]


@answers(
    "CreateJobRequest.PipelineId",
    "CreateJobRequest.Inputs",
    "CreateJobRequest.OutputKeyPrefix",
    "CreateJobRequest.Outputs",
    "CreateJobRequest.Playlists",
    "CreateJobRequest.UserMetadata",
    "CreateJobResponse.*",
    "CreateJobOutput.*",
    "Encryption.*",
    "TimeSpan.*",
    "InputCaptions.*",
    "CaptionSource.*",
    "JobWatermark.*",
    "JobAlbumArt.*",
    "Artwork.*",
    "Clip.*",
    "Captions.CaptionFormats",
    "CaptionFormat.*",
    "CreateJobPlaylist.HlsContentProtection",
    "HlsContentProtection.*",
)
async def test_a_job_is_answered_as_it_was_asked_for(wire: Wire, pipeline: str) -> None:
    job = (await wire.call("CreateJob", PipelineId=pipeline, **JOB))["Job"]
    assert but_for_keys(differences(JOB, job)) == []
    assert job["PipelineId"] == pipeline


@answers("CreateJobRequest.Input", "CreateJobRequest.Output", "Captions.*", "JobInput.*", "DetectedProperties.*")
async def test_one_input_and_one_output_may_be_said_without_a_list(wire: Wire, pipeline: str) -> None:
    """What is told of an input is not believed: it is looked at."""
    captions = {
        "MergePolicy": "Override",
        "CaptionSources": [SOURCE],
        "CaptionFormats": [{"Format": "mov-text", "Pattern": ""}],
    }
    facts = {"Width": 1, "Height": 1, "FrameRate": "25", "FileSize": 1, "DurationMillis": 1}
    asked = {
        "Input": {"DetectedProperties": facts, **JOB["Inputs"][0]},
        "Output": {"Key": "film.mp4", "PresetId": "1351620000001-000010", "Captions": captions},
    }
    job = (await wire.call("CreateJob", PipelineId=pipeline, **asked))["Job"]
    told = but_for_keys(differences(asked, job))
    assert {one.field.split(".")[1] for one in told} == {"DetectedProperties"}
    assert (job["Inputs"], job["Outputs"]) == ([job["Input"]], [job["Output"]])


DRM: Final = {
    "Format": "microsoft",
    "KeyId": "00000000-0000-0000-0000-00000000000a",
    "LicenseAcquisitionUrl": "https://licences.example.com",
    **SECRET,
    "InitializationVector": base64.b64encode(bytes(8)).decode(),
}
LICENSED: Final = {"Name": "licensed", "Format": "Smooth", "OutputKeys": ["film.ismv"], "PlayReadyDrm": DRM}
FRAGMENTS: Final = {"Key": "film.ismv", "PresetId": "1351620000001-400010", "SegmentDuration": "2"}


@answers(
    "CreateJobPlaylist.Name",
    "CreateJobPlaylist.Format",
    "CreateJobPlaylist.OutputKeys",
    "CreateJobPlaylist.PlayReadyDrm",
    "PlayReadyDrm.*",
)
async def test_a_licensed_playlist_is_answered_as_it_was_asked_for(wire: Wire, pipeline: str) -> None:
    asked = {"Inputs": [{"Key": "in.mp4"}], "Outputs": [FRAGMENTS], "Playlists": [LICENSED]}
    job = (await wire.call("CreateJob", PipelineId=pipeline, **asked))["Job"]
    assert but_for_keys(differences(asked, job)) == []


@answers(
    "ReadJobRequest.*",
    "ReadJobResponse.*",
    "Job.*",
    "JobOutput.*",
    "Playlist.*",
    "Timing.*",
)
async def test_what_came_of_a_job_is_told(wire: Wire, pipeline: str, node: Node) -> None:
    """One output and its playlist were made, the others were not."""
    asked = JOB | {"Outputs": [*JOB["Outputs"], FRAGMENTS], "Playlists": [*JOB["Playlists"], LICENSED]}
    job = (await wire.call("CreateJob", PipelineId=pipeline, **asked))["Job"]["Id"]
    task = await node.take()
    failure = Failure(cause=Cause.INPUT, code=FailureCode.BAD_INPUT_FORMAT, message="It cannot be read.")
    failed = {"status": JobStatus.ERROR, "failure": failure}
    film, index = produced("out/film00000.ts"), produced("out/index.m3u8", "master_playlist")
    facts: dict[str, Any] = {"width": 480, "height": 320, "frame_rate": 29.97, "duration": 1.25, "size": 10}
    outcome = Finished(
        inputs=(DetectedProperties(width=640, height=360, frame_rate=25.0, duration=1.2, size=99),),
        outputs=(
            OutputResult(
                index=0, status=JobStatus.COMPLETE, objects=(film,), applied_color_space_conversion="None", **facts
            ),
            OutputResult(index=1, **failed),
            OutputResult(index=2, **failed),
            OutputResult(index=3, **failed),
        ),
        playlists=(
            PlaylistResult(index=0, status=JobStatus.COMPLETE, objects=(index,)),
            PlaylistResult(index=1, **failed),
        ),
        encode_seconds=1.0,
    )
    await node.stage(task.ref, film, index)
    assert (await node.report(task.ref, outcome)).status == 200
    await ended(wire.client.caller, job)
    told = (await wire.call("ReadJob", Id=job))["Job"]
    account = wire.client.caller.tenant_id
    assert told["Arn"] == f"arn:aws:elastictranscoder:us-east-1:{account}:job/{job}"
    assert (told["Id"], told["Status"]) == (job, "Error")
    assert but_for_keys(differences(asked, told)) == []
    assert told["Input"]["DetectedProperties"] == {
        "Width": 640, "Height": 360, "FrameRate": "25", "FileSize": 99, "DurationMillis": 1200,
    }  # fmt: skip
    made, *others = told["Outputs"]
    assert made.items() >= {
        "Id": "1", "Status": "Complete", "Width": 480, "Height": 320, "FrameRate": "29.97", "FileSize": 10, "Duration": 2,
        "DurationMillis": 1250, "AppliedColorSpaceConversion": "None",
    }.items()  # fmt: skip
    assert [(one["Id"], one["Status"], one["StatusDetail"][:5]) for one in others] == [
        (number, "Error", "4000 ") for number in ("2", "3", "4")
    ]
    assert [one["Status"] for one in told["Playlists"]] == ["Complete", "Error"]
    assert told["Playlists"][1]["StatusDetail"].startswith("1001 ")
    timing = told["Timing"]
    assert timing["SubmitTimeMillis"] <= timing["StartTimeMillis"] <= timing["FinishTimeMillis"]


@answers(
    "ListJobsByPipelineRequest.*",
    "ListJobsByPipelineResponse.*",
    "ListJobsByStatusRequest.*",
    "ListJobsByStatusResponse.*",
    "CancelJobRequest.*",
)
async def test_jobs_are_listed_over_pages(wire: Wire, pipeline: str) -> None:
    made = [await wire.client.caller.submit(pipeline) for _ in range(51)]
    for name, asked in (("Pipeline", {"PipelineId": pipeline}), ("Status", {"Status": "Submitted"})):
        page = await wire.call(f"ListJobsBy{name}", Ascending="true", **asked)
        rest = await wire.call(f"ListJobsBy{name}", Ascending="true", PageToken=page["NextPageToken"], **asked)
        assert [job["Id"] for job in page["Jobs"] + rest["Jobs"]] == made
        newest = await wire.call(f"ListJobsBy{name}", **asked)
        assert [job["Id"] for job in newest["Jobs"]] == made[:0:-1]
    assert await wire.call("CancelJob", Id=made[0]) == {"Success": "true"}
    assert (await wire.call("ReadJob", Id=made[0]))["Job"]["Status"] == "Canceled"
