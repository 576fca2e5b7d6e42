"""A job as it is answered: whatever it was asked for with, over this wire or natively."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import orjson

from controlplane.dialects.elastictranscoder.jobs.structures import (
    CreateJobOutput,
    CreateJobPlaylist,
    JobInput,
)
from controlplane.dialects.elastictranscoder.jobs.translation import to_wire
from controlplane.domain.outcomes import Outcome, outcomes
from controlplane.store.records import Job
from shared.protocol import Progress

LONGEST_DETAIL: Final = 255
Fields = dict[str, Any]


def job(found: Job, progress: Progress | None, arn: str, document: Mapping[str, Any] | None = None) -> Fields:
    """`arn` is what stands before the job's id in its ARN; `document` is the job's, where somebody has it at hand.

    What there is one of is said twice, as Input and Inputs, Output and Outputs: clients read the one or the other.
    """
    document = document or orjson.loads(found.document)
    wanted, made, lists = document["inputs"], document["outputs"], document["playlists"]
    came = outcomes(found.status, found.result, progress, inputs=len(wanted), outputs=len(made), playlists=len(lists))
    inputs = [_input(one, file) for one, file in zip(wanted, came.inputs, strict=True)]
    outputs = [
        {"Id": str(number), **to_wire(CreateJobOutput, one), **_outcome(outcome, found.id), **_facts(outcome)}
        for number, (one, outcome) in enumerate(zip(made, came.outputs, strict=True), 1)
    ]
    playlists = [
        to_wire(CreateJobPlaylist, one) | _outcome(outcome, found.id)
        for one, outcome in zip(lists, came.playlists, strict=True)
    ]
    return {
        "Id": found.id,
        "Arn": f"{arn}{found.id}",
        "PipelineId": found.pipeline_id,
        "Input": inputs[0],
        "Inputs": inputs,
        "Output": outputs[0],
        "Outputs": outputs,
        **({"OutputKeyPrefix": document["output_key_prefix"]} if document["output_key_prefix"] else {}),
        "Playlists": playlists,
        "Status": found.status,
        "UserMetadata": document["metadata"],
        "Timing": _known(
            SubmitTimeMillis=found.submitted_at, StartTimeMillis=found.started_at, FinishTimeMillis=found.finished_at
        ),
    }


def status_detail(detail: Mapping[str, Any], job_id: str) -> str:
    """The published number, then what it is about, as the service had it: "3002 1763750000000-a1b2c3: …"."""
    return f"{detail['code']} {job_id}: {detail['message']}"[:LONGEST_DETAIL]


def _input(wanted: Mapping[str, Any], file: Mapping[str, Any] | None) -> Fields:
    shown = to_wire(JobInput, wanted)
    if file is not None:
        shown["DetectedProperties"] = _known(
            Width=file.get("width"),
            Height=file.get("height"),
            FrameRate=_rate(file.get("frame_rate")),
            FileSize=file.get("size"),
            DurationMillis=_millis(file.get("duration")),
        )
    return shown


def _outcome(outcome: Outcome, job_id: str) -> Fields:
    detail = outcome["status_detail"]
    return _known(Status=outcome["status"], StatusDetail=detail and status_detail(detail, job_id))


def _facts(outcome: Outcome) -> Fields:
    """What an output turned out to be: nothing before it is made."""
    if outcome["size"] is None and outcome["duration"] is None:
        return {}
    duration = outcome["duration"]
    return _known(
        Width=outcome["width"],
        Height=outcome["height"],
        FrameRate=_rate(outcome["frame_rate"]),
        FileSize=outcome["size"],
        Duration=None if duration is None else math.ceil(duration),
        DurationMillis=_millis(duration),
        AppliedColorSpaceConversion=outcome["applied_color_space_conversion"],
    )


def _known(**fields: Any) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _rate(frames: float | None) -> str | None:
    """A text, unlike all other figures: "29.97", "25"."""
    return None if frames is None else f"{frames:.2f}".rstrip("0").rstrip(".")


def _millis(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
