"""Pipelines and the buckets that they name.

structures   what clients send, member by member
translation  from those to native fields, and what is told back
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson

from controlplane.dialects.elastictranscoder.constraints import refused
from controlplane.dialects.elastictranscoder.paging import Listing, page
from controlplane.dialects.elastictranscoder.pipelines import translation
from controlplane.dialects.elastictranscoder.pipelines.structures import (
    CreatePipeline,
    NamedPipeline,
    TestRole,
    UpdatePipeline,
    UpdatePipelineNotifications,
    UpdatePipelineStatus,
)
from controlplane.dialects.elastictranscoder.wire import SUCCESS, Answer, Operations, arn, identity
from controlplane.domain.notifications import Notifications
from controlplane.domain.permissions import Action, Resources
from controlplane.http.calls import Call
from controlplane.http.keys import BUCKETS, PIPELINES, TOPICS
from controlplane.services.naming import of_pipeline
from controlplane.services.pipelines import NOBODY, check_buckets
from controlplane.store.records import Pipeline
from shared.errors import Forbidden, InvalidField
from shared.ids import PipelineId
from shared.statuses import PipelineStatus

operations: Final = Operations()
UNHEARD: Final = "6006"
"""The service's own number for a topic that a pipeline can hardly use."""


async def named(call: Call[Any]) -> Resources:
    return of_pipeline(await _found(call))


@operations.add(
    "CreatePipeline",
    "POST",
    "pipelines",
    permission=Action.PIPELINES_CREATE,
    takes=CreatePipeline,
    status=201,
)
async def create_pipeline(call: Call[CreatePipeline]) -> Answer:
    sent = call.body
    translation.check(sent)
    topics = translation.topics(sent.notifications)
    buckets = await _buckets(call, sent)
    made = await call.request.app[PIPELINES].create(
        call.principal.tenant,
        name=sent.name,
        **{"thumbnail_bucket": None, **buckets},
        notifications=topics or NOBODY,
        terms=translation.terms(sent),
        token=identity(call, "CreatePipeline"),
    )
    return await _told(call, made)


@operations.add(
    "ReadPipeline",
    "GET",
    "pipelines/{Id}",
    permission=Action.PIPELINES_READ,
    takes=NamedPipeline,
    find=named,
    noun="pipeline",
)
async def read_pipeline(call: Call[NamedPipeline]) -> Answer:
    return await _told(call, await _found(call))


@operations.add("ListPipelines", "GET", "pipelines", permission=Action.PIPELINES_READ, takes=Listing)
async def list_pipelines(call: Call[Listing]) -> Answer:
    find = partial(call.request.app[PIPELINES].page, call.principal.tenant, ascending=call.body.is_ascending)
    found, more = await page(call, find, of_pipeline)
    return {"Pipelines": [_view(call, one) for one in found], "NextPageToken": more}


@operations.add(
    "UpdatePipeline",
    "PUT",
    "pipelines/{Id}",
    permission=Action.PIPELINES_UPDATE,
    takes=UpdatePipeline,
    find=named,
    noun="pipeline",
)
async def update_pipeline(call: Call[UpdatePipeline]) -> Answer:
    sent = call.body
    if sent.role is not None:
        translation.check_role(sent.role)
    topics = translation.topics(sent.notifications)
    known = await _found(call)
    changes = {**await _buckets(call, sent), "terms": translation.terms(sent, orjson.loads(known.terms))}
    if sent.name is not None:
        changes["name"] = sent.name
    updating = call.request.app[PIPELINES].update(
        call.principal.tenant, known.id, changes, notifications=topics, if_version=known.version
    )
    return await _told(call, await updating)


@operations.add(
    "UpdatePipelineNotifications",
    "POST",
    "pipelines/{Id}/notifications",
    permission=Action.PIPELINES_UPDATE,
    takes=UpdatePipelineNotifications,
    find=named,
    noun="pipeline",
)
async def update_notifications(call: Call[UpdatePipelineNotifications]) -> Answer:
    topics = translation.topics(call.body.notifications)
    updating = call.request.app[PIPELINES].update(
        call.principal.tenant, PipelineId(call.body.id), {}, notifications=topics, if_version=None
    )
    return {"Pipeline": _view(call, await updating)}


@operations.add(
    "UpdatePipelineStatus",
    "POST",
    "pipelines/{Id}/status",
    permission=Action.PIPELINES_PAUSE,
    takes=UpdatePipelineStatus,
    find=named,
    noun="pipeline",
)
async def update_status(call: Call[UpdatePipelineStatus]) -> Answer:
    """Whoever may pause but not resume is refused to make it Active."""
    status, pipeline_id = PipelineStatus(call.body.status), PipelineId(call.body.id)
    if status is PipelineStatus.ACTIVE:
        call.principal.check(Action.PIPELINES_RESUME, await named(call))
    changed = await call.request.app[PIPELINES].set_status(call.principal.tenant, pipeline_id, status)
    return {"Pipeline": _view(call, changed)}


@operations.add(
    "DeletePipeline",
    "DELETE",
    "pipelines/{Id}",
    permission=Action.PIPELINES_DELETE,
    takes=NamedPipeline,
    status=202,
    find=named,
    noun="pipeline",
)
async def delete_pipeline(call: Call[NamedPipeline]) -> Answer:
    await call.request.app[PIPELINES].delete(call.principal.tenant, PipelineId(call.body.id))
    return SUCCESS


@operations.add("TestRole", "POST", "roleTests", permission=Action.BUCKETS_READ, takes=TestRole)
async def test_role(call: Call[TestRole]) -> Answer:
    """Roles mean nothing here: told is whether the buckets can be used by who asks, and whether the topics reach anybody."""
    sent = call.body
    translation.check_role(sent.role)
    messages = []
    for field, name in (("input_bucket", sent.input_bucket), ("output_bucket", sent.output_bucket)):
        try:
            check_buckets(call.principal, {field: name})
            await call.request.app[BUCKETS].is_there(call.principal, name)
        except (InvalidField, Forbidden) as error:
            messages.append(f"{name}: {error.detail}")
    messages += [
        _unheard(arn) for arn in await call.request.app[TOPICS].unmapped(call.principal.tenant, _named(sent.topics))
    ]
    return {"Success": "false" if messages else "true", "Messages": messages}


async def _told(call: Call[Any], pipeline: Pipeline) -> Answer:
    return {"Pipeline": _view(call, pipeline), "Warnings": await _warnings(call, pipeline)}


async def _warnings(call: Call[Any], pipeline: Pipeline) -> list[Mapping[str, str]]:
    """Topics that reach nobody yet: a pipeline may be there before what is behind them."""
    topics = Notifications.model_validate_json(pipeline.notifications)
    unheard = await call.request.app[TOPICS].unmapped(pipeline.tenant_id, _named([arn for _, arn in topics]))
    return [{"Code": UNHEARD, "Message": _unheard(arn)} for arn in unheard]


def _named(topics: Sequence[str | None]) -> list[str]:
    return [arn for arn in topics if arn]


def _unheard(arn: str) -> str:
    return f"The topic {arn} has no endpoint: what is told to it reaches nobody until an operator adds one."


async def _buckets(call: Call[Any], sent: CreatePipeline | UpdatePipeline) -> Mapping[str, Any]:
    """Those that are named, as native fields: there from now on, where the operator allows that. Raises InvalidField."""
    wanted = translation.buckets(sent)
    check_buckets(call.principal, wanted)
    for field, name in wanted.items():
        try:
            await call.request.app[BUCKETS].ensure(call.principal, name)
        except InvalidField as error:
            raise refused(translation.place(field, sent), name, "be a bucket of yours: " + error.detail) from error
    return wanted


async def _found(call: Call[Any]) -> Pipeline:
    return await call.request.app[PIPELINES].get(call.principal.tenant, PipelineId(call.body.id))


def _view(call: Call[Any], found: Pipeline) -> dict[str, Any]:
    return translation.view(found, arn(call, "pipeline", found.id), call.principal.tenant)
