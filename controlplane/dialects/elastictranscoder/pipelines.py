"""Pipelines and their buckets."""

from __future__ import annotations

from typing import Any, Final

import orjson

from controlplane.dialects.elastictranscoder.jobs.conversion import Structure
from controlplane.dialects.elastictranscoder.jobs.structures import Id
from controlplane.dialects.elastictranscoder.paging import PAGE, Listing
from controlplane.dialects.elastictranscoder.wire import Answer, Operations, arn
from controlplane.domain.notifications import Notifications
from controlplane.domain.permissions import Action, Resources
from controlplane.http.calls import Call
from controlplane.http.keys import PIPELINES
from controlplane.http.looking import visible
from controlplane.services.naming import of_pipeline
from controlplane.store.records import Pipeline
from shared.ids import PipelineId

operations: Final = Operations()


class ReadPipeline(Structure):
    id: Id


async def named(call: Call[Any]) -> Resources:
    return of_pipeline(await _found(call))


@operations.add(
    "ReadPipeline",
    "GET",
    "pipelines/{Id}",
    permission=Action.PIPELINES_READ,
    takes=ReadPipeline,
    find=named,
    noun="pipeline",
)
async def read_pipeline(call: Call[ReadPipeline]) -> Answer:
    return {"Pipeline": _view(call, await _found(call)), "Warnings": []}


@operations.add("ListPipelines", "GET", "pipelines", permission=Action.PIPELINES_READ, takes=Listing)
async def list_pipelines(call: Call[Listing]) -> Answer:
    asked, service = call.body, call.request.app[PIPELINES]

    async def batch(after: str | None, size: int) -> tuple[list[Pipeline], str | None]:
        found = await service.page(call.principal.tenant, after or asked.after, size + 1, ascending=asked.is_ascending)
        return found[:size], found[size - 1].id if len(found) > size else None

    found, more = await visible(call, batch, of_pipeline, token=asked.page_token, size=PAGE)
    return {"Pipelines": [_view(call, one) for one in found], "NextPageToken": more}


async def _found(call: Call[Any]) -> Pipeline:
    return await call.request.app[PIPELINES].get(call.principal.tenant, PipelineId(call.body.id))


def _view(call: Call[Any], found: Pipeline) -> dict[str, Any]:
    terms = orjson.loads(found.terms)
    topics = Notifications.model_validate_json(found.notifications)
    return {
        "Id": found.id,
        "Arn": arn(call, "pipeline", found.id),
        "Name": found.name,
        "Status": found.status,
        "InputBucket": found.input_bucket,
        "OutputBucket": found.output_bucket,
        "Role": terms.get("role", f"arn:aws:iam::{call.principal.tenant}:role/transcoder"),
        "AwsKmsKeyArn": terms.get("aws_kms_key_arn"),
        "Notifications": {event.capitalize(): topic or "" for event, topic in topics},
        "ContentConfig": {"Bucket": found.output_bucket, "Permissions": [], **terms.get("content", {})},
        "ThumbnailConfig": {"Bucket": found.thumbnail_bucket, "Permissions": [], **terms.get("thumbnails", {})},
    }
