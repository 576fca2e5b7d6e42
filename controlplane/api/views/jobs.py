"""Jobs as people and their programs see them, and what is told of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from orjson import Fragment
from pydantic import Field

from controlplane.api.views.pages import moment
from controlplane.domain.auditing import Deed
from controlplane.domain.outcomes import Outcomes, outcomes
from controlplane.domain.planning.recipe import Recipe
from controlplane.domain.waiting import Code, Waiting
from controlplane.services.content_keys import RevealedKey
from controlplane.store import records
from shared.clock import to_datetime
from shared.failures import FailureReason
from shared.ids import Attempt, ClusterId, JobId, NodeId, PipelineId, TenantId
from shared.jobspec import Input, Output, Placement, Playlist, StartPolicy
from shared.jobspec.encryption import digest, encoded
from shared.models import Answer
from shared.protocol import DetectedProperties, Progress
from shared.statuses import JobStatus


class StatusDetail(Answer):
    code: int = Field(description="Elastic Transcoder's published error number.")
    message: str
    reason: FailureReason | None = Field(
        None, description="What programs may branch on, where the number is not enough."
    )


class InputView(Input):
    detected: DetectedProperties | None = Field(None, description="Known once a node has probed the file.")


class ObjectView(Answer):
    key: str
    size: int
    role: str = "media"
    initialization_vector: str | None = Field(
        None, description="Base64, of an object that is encrypted as a file: where a job has several, each has its own."
    )


class ContentKeyView(Answer):
    pointer: str = Field(description="What the key is of, as a JSON pointer into the job.")
    key: str = Field(description="Base64: the key itself.")
    key_md5: str
    initialization_vector: str


class ContentKeysView(Answer):
    items: list[ContentKeyView]


class OutputView(Output):
    id: str = Field(description="Its number in the job, from 1.")
    status: JobStatus = Field(
        description="Of the only output, that of its job. Of several, Submitted until it is worked on, Complete when it is made: "
        "its objects are there when the job has ended. A later attempt begins them anew."
    )
    status_detail: StatusDetail | None = Field(None, description="Why it failed.")
    width: int | None = Field(None, description="Pixels.")
    height: int | None = Field(None, description="Pixels.")
    frame_rate: float | None = Field(None, description="Frames per second.")
    duration: float | None = Field(None, description="Seconds.")
    size: int | None = Field(None, description="Bytes, of all media of this output.")
    encoder: str | None = Field(None, description="What made it, as ffmpeg calls it.")
    applied_color_space_conversion: str | None = Field(
        None, description='The conversion of colours that was made: "None", "Bt709ToBt601", "Bt601ToBt709", …'
    )
    objects: list[ObjectView] = Field([], description="What it is in the output bucket.")


class PlaylistView(Playlist):
    status: JobStatus = Field(description="That of its job, until that has ended.")
    status_detail: StatusDetail | None = Field(None, description="Why it failed.")
    objects: list[ObjectView] = Field([], description="What it is in the output bucket.")


class AttemptView(Answer):
    number: Attempt
    node_id: NodeId | None
    encoder: str | None


class Timing(Answer):
    submitted_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class WaitingView(Answer):
    code: Code
    message: str
    details: dict[str, Any] = Field(description="The figures behind the message; which ones depends on the code.")


class JobView(Answer):
    id: JobId = Field(description="What the job is called from now on.")
    pipeline_id: PipelineId
    status: JobStatus = Field(description="Complete when every output and playlist is, Error when one of them failed.")
    status_detail: StatusDetail | None = Field(
        None, description="Why the whole job failed, where one reason covers it."
    )
    waiting_because: WaitingView | None = Field(None, description="Null for a job that does not wait.")
    priority: int
    start: StartPolicy
    placement: Placement
    cluster_id: ClusterId | None = Field(description="Asked for, or where it ran first.")
    inputs: list[InputView]
    output_key_prefix: str
    outputs: list[OutputView]
    playlists: list[PlaylistView]
    metadata: dict[str, str]
    max_attempts: int
    retry_of: JobId | None = Field(None, description="The job that this one repeats.")
    progress: Progress | None
    attempt: AttemptView | None = Field(description="The present one, or the last.")
    timing: Timing = Field(description="When it was submitted, first begun, and ended.")


def job(found: records.Job, progress: Progress | None, waiting: Waiting | None) -> dict[str, Any]:
    """A JobView as a dictionary: made by hand, since lists have many."""
    document = orjson.loads(found.document)
    inputs, outputs, playlists = document["inputs"], document["outputs"], document["playlists"]
    came = outcomes(
        found.status, found.result, progress, inputs=len(inputs), outputs=len(outputs), playlists=len(playlists)
    )
    has_begun = found.attempt and found.status is not JobStatus.SUBMITTED
    return {
        **_common(found, waiting, document),
        "status_detail": came.status_detail,
        "inputs": [{**wanted, "detected": file} for wanted, file in zip(inputs, came.inputs, strict=True)],
        "outputs": _outputs(outputs, came),
        "playlists": _playlists(playlists, came),
        "progress": progress.model_dump() if progress and found.status is JobStatus.PROGRESSING else None,
        "attempt": {
            "number": found.attempt,
            "node_id": found.node_id,
            "encoder": progress.encoder if progress else None,
        }
        if has_begun
        else None,
    }


def submitted(found: records.Job, waiting: Waiting | None, recipe: Recipe, aside: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a job that was made just now, by what is known of its document: the recipe, and all other fields."""
    outputs, playlists = _unmade(recipe)
    return {
        **_common(found, waiting, aside),
        "status_detail": None,
        "inputs": [{**wanted, "detected": None} for wanted in aside["inputs"]],
        "outputs": outputs,
        "playlists": playlists,
        "progress": None,
        "attempt": None,
    }


@lru_cache(256)
def _unmade(recipe: Recipe) -> tuple[Fragment, Fragment]:
    """Outputs and playlists of which nothing was made yet, as JSON."""
    outputs, playlists = recipe.fields["outputs"], recipe.fields["playlists"]
    came = outcomes(JobStatus.SUBMITTED, None, None, inputs=0, outputs=len(outputs), playlists=len(playlists))
    return Fragment(orjson.dumps(_outputs(outputs, came))), Fragment(orjson.dumps(_playlists(playlists, came)))


def _outputs(outputs: Sequence[Mapping[str, Any]], came: Outcomes) -> list[dict[str, Any]]:
    return [
        {"id": str(number), **wanted, **outcome}
        for number, (wanted, outcome) in enumerate(zip(outputs, came.outputs, strict=True), 1)
    ]


def _playlists(playlists: Sequence[Mapping[str, Any]], came: Outcomes) -> list[dict[str, Any]]:
    return [{**wanted, **outcome} for wanted, outcome in zip(playlists, came.playlists, strict=True)]


def _common(found: records.Job, waiting: Waiting | None, document: Mapping[str, Any]) -> dict[str, Any]:
    """What does not depend on how far the job is."""
    return {
        "id": found.id,
        "pipeline_id": found.pipeline_id,
        "status": found.status,
        "waiting_because": {"code": waiting.code, "message": waiting.message, "details": waiting.details}
        if waiting
        else None,
        "priority": document["priority"],
        "start": document["start"],
        "placement": document["placement"],
        "cluster_id": found.cluster_id,
        "output_key_prefix": document["output_key_prefix"],
        "metadata": document["metadata"],
        "max_attempts": document["max_attempts"],
        "retry_of": found.retry_of,
        "timing": {
            "submitted_at": to_datetime(found.submitted_at),
            "started_at": moment(found.started_at),
            "finished_at": moment(found.finished_at),
        },
    }


def content_keys(found: Sequence[RevealedKey]) -> ContentKeysView:
    return ContentKeysView(
        items=[
            ContentKeyView(
                pointer=one.pointer,
                key=encoded(one.key),
                key_md5=digest(one.key),
                initialization_vector=one.initialization_vector,
            )
            for one in found
        ]
    )


class RetryView(Answer):
    id: JobId
    retry_of: JobId


class RetriesView(Answer):
    items: list[RetryView]
    has_more: bool = Field(description="More have failed in this time: ask again.")


def retries(made: Sequence[records.Job], *, has_more: bool) -> RetriesView:
    items = [RetryView(id=job.id, retry_of=job.retry_of) for job in made if job.retry_of is not None]
    return RetriesView(items=items, has_more=has_more)


class EventView(Answer):
    id: int
    at: dt.datetime
    type: str
    data: dict[str, Any]


def event(found: records.Event) -> EventView:
    return EventView(id=found.id, at=to_datetime(found.at), type=found.type, data=orjson.loads(found.data))


class TenantEventView(EventView):
    job_id: JobId


def tenant_event(found: records.TenantEvent) -> TenantEventView:
    return TenantEventView(**dict(event(found)), job_id=found.job_id)


class DeedView(Answer):
    id: int
    at: dt.datetime
    user_id: str
    role: str
    tenant_id: TenantId | None = Field(description="The tenant that it was done to.")
    address: str
    request_id: str
    action: str = Field(description="The `operationId` of the call.")
    object: str = Field(description='What the path named and what was made, with "/" between them.')


def deed(found: Deed) -> DeedView:
    return DeedView(**{**vars(found), "at": to_datetime(found.at)})


class LogView(Answer):
    attempt: Attempt
    node_id: NodeId
    at: dt.datetime = Field(description="When its last line came.")
    said: int = Field(description="Characters that the attempt has said in all; `text` holds the last of them.")
    text: str


def log(found: records.AttemptLog) -> LogView:
    return LogView(
        attempt=found.attempt, node_id=found.node_id, at=to_datetime(found.at), said=found.said, text=found.text
    )
