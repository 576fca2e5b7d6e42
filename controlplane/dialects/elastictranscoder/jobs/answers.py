"""A job as it is answered: whatever it was asked for with, over this wire or natively."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson
from orjson import Fragment

from controlplane.dialects.elastictranscoder.jobs.structures import (
    CreateJobOutput,
    CreateJobPlaylist,
    JobInput,
)
from controlplane.dialects.elastictranscoder.translation import to_wire
from controlplane.domain.outcomes import Outcome, Outcomes, outcomes
from controlplane.domain.planning.recipe import Recipe
from controlplane.store.records import Job
from shared.protocol import Progress
from shared.statuses import JobStatus

LONGEST_DETAIL: Final = 255
Fields = dict[str, Any]


def job(found: Job, progress: Progress | None, arn: str) -> Fields:
    """`arn` is what stands before the job's id in its ARN.

    What there is one of is said twice, as Input and Inputs, Output and Outputs: clients read the one or the other.
    """
    document = orjson.loads(found.document)
    inputs, outputs, playlists = document["inputs"], document["outputs"], document["playlists"]
    came = outcomes(
        found.status, found.result, progress, inputs=len(inputs), outputs=len(outputs), playlists=len(playlists)
    )
    files = [_input(one, file) for one, file in zip(inputs, came.inputs, strict=True)]
    made = _outputs(outputs, came, found.id)
    return {
        **_common(found, arn, document),
        "Input": files[0],
        "Inputs": files,
        "Output": made[0],
        "Outputs": made,
        "Playlists": _playlists(playlists, came, found.id),
    }


def submitted(found: Job, recipe: Recipe, aside: Mapping[str, Any], arn: str) -> Fields:
    """The same of a job that was made just now, by what is known of its document: the recipe, and all other fields."""
    files = [to_wire(JobInput, one) for one in aside["inputs"]]
    output, outputs, playlists = _unmade(recipe)
    return {
        **_common(found, arn, aside),
        "Input": files[0],
        "Inputs": files,
        "Output": output,
        "Outputs": outputs,
        "Playlists": playlists,
    }


def status_detail(detail: Mapping[str, Any], job_id: str) -> str:
    """The published number, then what it is about, as the service had it: "3002 1763750000000-a1b2c3: …"."""
    return f"{detail['code']} {job_id}: {detail['message']}"[:LONGEST_DETAIL]


def _common(found: Job, arn: str, document: Mapping[str, Any]) -> Fields:
    """What is the same however far the job is."""
    prefix = document["output_key_prefix"]
    return {
        "Id": found.id,
        "Arn": f"{arn}{found.id}",
        "PipelineId": found.pipeline_id,
        **({"OutputKeyPrefix": prefix} if prefix else {}),
        "Status": found.status,
        "UserMetadata": document["metadata"],
        "Timing": _known(
            SubmitTimeMillis=found.submitted_at, StartTimeMillis=found.started_at, FinishTimeMillis=found.finished_at
        ),
    }


@lru_cache(256)
def _unmade(recipe: Recipe) -> tuple[Fragment, Fragment, Fragment]:
    """The first output, all of them and the playlists, of which nothing was made yet, as JSON."""
    outputs, playlists = recipe.fields["outputs"], recipe.fields["playlists"]
    came = outcomes(JobStatus.SUBMITTED, None, None, inputs=0, outputs=len(outputs), playlists=len(playlists))
    shown = _outputs(outputs, came, "")
    parts = (shown[0], shown, _playlists(playlists, came, ""))
    first, every, lists = (Fragment(orjson.dumps(part)) for part in parts)
    return first, every, lists


def _outputs(outputs: Sequence[Mapping[str, Any]], came: Outcomes, job_id: str) -> list[Fields]:
    return [
        {"Id": str(number), **to_wire(CreateJobOutput, one), **_outcome(outcome, job_id), **_facts(outcome)}
        for number, (one, outcome) in enumerate(zip(outputs, came.outputs, strict=True), 1)
    ]


def _playlists(playlists: Sequence[Mapping[str, Any]], came: Outcomes, job_id: str) -> list[Fields]:
    return [
        to_wire(CreateJobPlaylist, one) | _outcome(outcome, job_id)
        for one, outcome in zip(playlists, came.playlists, strict=True)
    ]


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
