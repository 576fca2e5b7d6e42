"""The life of a film through boto3, as users' code did it.

For the boto3 that is installed here; and for any other by `python -m tests.e2e.clients.boto3_story`, which reads the account.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

from botocore.exceptions import WaiterError

from tests.e2e.clients.boto3_client import HLS_400K, ROLE, client
from tests.e2e.clients.boto3_refusals import what_is_refused

MANY = 101
AT_ONCE = {"Delay": 0.2, "MaxAttempts": 600}
CAPTIONS = {
    "MergePolicy": "Override",
    "CaptionSources": [{"Key": "in/bunny.srt", "Language": "en", "Label": "English"}],
}
PRESET = {
    "Name": "Small",
    "Description": "A rung of our own",
    "Container": "ts",
    "Video": {
        "Codec": "H.264",
        "CodecOptions": {"Profile": "main", "Level": "3", "MaxReferenceFrames": "2"},
        "KeyframesMaxDist": "50",
        "FixedGOP": "true",
        "BitRate": "250",
        "FrameRate": "25",
        "MaxWidth": "320",
        "MaxHeight": "180",
        "DisplayAspectRatio": "auto",
        "SizingPolicy": "ShrinkToFit",
        "PaddingPolicy": "NoPad",
    },
    "Audio": {
        "Codec": "AAC",
        "SampleRate": "44100",
        "BitRate": "64",
        "Channels": "2",
        "CodecOptions": {"Profile": "AAC-LC"},
    },
    "Thumbnails": {
        "Format": "png",
        "Interval": "2",
        "MaxWidth": "160",
        "MaxHeight": "90",
        "SizingPolicy": "ShrinkToFit",
        "PaddingPolicy": "NoPad",
    },
}


def told(account: dict[str, Any]) -> dict[str, Any]:
    """Everything, in the order in which people do it; what came of it. `account` has the `troubles` of others beside."""
    transcoder = client(account)
    pipeline = a_pipeline(transcoder)
    preset = a_preset(transcoder)
    film = a_film(transcoder, pipeline, preset)
    jobs = three_pages(transcoder, pipeline)
    what_is_refused(transcoder, account["troubles"], pipeline, film["Id"])
    none_of_them(transcoder, pipeline, jobs)
    changes(transcoder, pipeline)
    the_end(transcoder, pipeline, preset)
    return film


def a_pipeline(transcoder: Any) -> str:
    made = transcoder.create_pipeline(
        Name="films",
        InputBucket="films-in",
        OutputBucket="films-out",
        Role=ROLE,
        Notifications={"Progressing": "", "Completed": "", "Warning": "", "Error": ""},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["ResponseMetadata"]["RequestId"]
    pipeline = made["Pipeline"]
    assert pipeline["Status"] == "Active"
    assert pipeline["Arn"].endswith(f":pipeline/{pipeline['Id']}")
    assert pipeline["ContentConfig"]["Bucket"] == pipeline["ThumbnailConfig"]["Bucket"] == "films-out"
    assert transcoder.read_pipeline(Id=pipeline["Id"])["Pipeline"] == pipeline
    paged = transcoder.get_paginator("list_pipelines").paginate().build_full_result()["Pipelines"]
    assert pipeline in paged
    return str(pipeline["Id"])


def a_preset(transcoder: Any) -> str:
    made = transcoder.create_preset(**PRESET)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    preset = made["Preset"]
    assert preset["Type"] == "Custom"
    assert {name: preset[name] for name in ("Name", "Description", "Container")} == {
        name: PRESET[name] for name in ("Name", "Description", "Container")
    }
    for part in ("Video", "Audio", "Thumbnails"):
        assert preset[part].items() >= PRESET[part].items(), part
    assert transcoder.read_preset(Id=preset["Id"])["Preset"] == preset
    presets = transcoder.get_paginator("list_presets").paginate().build_full_result()["Presets"]
    assert preset in presets
    assert len({one["Id"] for one in presets if one["Type"] == "System"}) == 62
    return str(preset["Id"])


def a_film(transcoder: Any, pipeline: str, preset: str) -> dict[str, Any]:
    """HLS in two renditions with thumbnails and captions; waited for."""
    outputs = [
        {
            "Key": f"{name}/film",
            "PresetId": preset_id,
            "SegmentDuration": "2",
            "Captions": {"CaptionFormats": [{"Format": "webvtt", "Pattern": "captions-{language}"}]},
        }
        for name, preset_id in (("400k", HLS_400K), ("small", preset))
    ]
    outputs[1]["ThumbnailPattern"] = "small/picture-{count}"
    made = transcoder.create_job(
        PipelineId=pipeline,
        Inputs=[{"Key": "in/bunny.mp4", "InputCaptions": CAPTIONS}],
        OutputKeyPrefix="made/",
        Outputs=outputs,
        Playlists=[{"Name": "index", "Format": "HLSv3", "OutputKeys": ["400k/film", "small/film"]}],
        UserMetadata={"Film": "Big Buck Bunny"},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    job = made["Job"]
    assert (job["Status"], job["Outputs"][0]["Status"]) == ("Submitted", "Submitted")
    assert job["Input"] == job["Inputs"][0]
    assert job["Output"] == job["Outputs"][0]
    transcoder.get_waiter("job_complete").wait(Id=job["Id"], WaiterConfig=AT_ONCE)
    film: dict[str, Any] = transcoder.read_job(Id=job["Id"])["Job"]
    assert film["Status"] == "Complete"
    assert [(one["Id"], one["Status"], one["Width"]) for one in film["Outputs"]] == [
        ("1", "Complete", 400),
        ("2", "Complete", 320),
    ]
    assert [(one["Name"], one["Status"]) for one in film["Playlists"]] == [("index", "Complete")]
    assert all(abs(one["DurationMillis"] - 5300) < 400 and one["Duration"] in (5, 6) for one in film["Outputs"])
    assert film["Input"]["DetectedProperties"]["Width"] == 1280
    timing = film["Timing"]
    assert timing["SubmitTimeMillis"] <= timing["StartTimeMillis"] <= timing["FinishTimeMillis"]
    assert film["UserMetadata"] == {"Film": "Big Buck Bunny"}
    missing = transcoder.create_job(
        PipelineId=pipeline,
        Input={"Key": "in/none.mp4"},
        Output={"Key": "none.mp4", "PresetId": "1351620000000-000001"},
    )["Job"]
    with contextlib.suppress(WaiterError):
        transcoder.get_waiter("job_complete").wait(Id=missing["Id"], WaiterConfig=AT_ONCE)
    failed = transcoder.read_job(Id=missing["Id"])["Job"]
    assert failed["Status"] == failed["Output"]["Status"] == "Error"
    assert failed["Output"]["StatusDetail"].startswith("3001 ")
    return film


def three_pages(transcoder: Any, pipeline: str) -> list[str]:
    """The recipe of Amazon's guide: pause, list what is submitted, cancel, go on."""
    paused = transcoder.update_pipeline_status(Id=pipeline, Status="Paused")["Pipeline"]
    assert paused["Status"] == "Paused"
    made = many(transcoder, pipeline)
    pages = list(transcoder.get_paginator("list_jobs_by_status").paginate(Status="Submitted", Ascending="true"))
    assert len(pages) >= 3
    assert [job["Id"] for page in pages for job in page["Jobs"]] == made
    pages = list(transcoder.get_paginator("list_jobs_by_pipeline").paginate(PipelineId=pipeline, Ascending="false"))
    assert [job["Id"] for page in pages for job in page["Jobs"]][:MANY] == made[::-1]
    return made


def none_of_them(transcoder: Any, pipeline: str, jobs: list[str]) -> None:
    for job in jobs:
        assert transcoder.cancel_job(Id=job)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert transcoder.read_job(Id=jobs[0])["Job"]["Status"] == "Canceled"
    assert transcoder.list_jobs_by_status(Status="Submitted")["Jobs"] == []
    assert transcoder.update_pipeline_status(Id=pipeline, Status="Active")["Pipeline"]["Status"] == "Active"


def many(transcoder: Any, pipeline: str) -> list[str]:
    """Jobs for three pages."""
    wanted = {"PipelineId": pipeline, "Input": {"Key": "in/bunny.mp4"}}
    outputs = ([{"Key": f"many/{number}.ts", "PresetId": HLS_400K}] for number in range(MANY))
    return [transcoder.create_job(**wanted, Outputs=one)["Job"]["Id"] for one in outputs]


def changes(transcoder: Any, pipeline: str) -> None:
    changed = transcoder.update_pipeline(Id=pipeline, Name="more films", InputBucket="films-in")["Pipeline"]
    assert (changed["Name"], changed["InputBucket"], changed["Role"]) == ("more films", "films-in", ROLE)
    silent = dict.fromkeys(("Progressing", "Completed", "Warning", "Error"), "")
    told = transcoder.update_pipeline_notifications(Id=pipeline, Notifications=silent)["Pipeline"]
    assert told["Notifications"] == silent


def the_end(transcoder: Any, pipeline: str, preset: str) -> None:
    assert transcoder.delete_preset(Id=preset)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert transcoder.delete_pipeline(Id=pipeline)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert pipeline not in [one["Id"] for one in transcoder.list_pipelines()["Pipelines"]]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(told(json.load(sys.stdin)), default=str))
