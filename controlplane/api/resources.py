"""/v1/pipelines, presets, buckets and their objects: what tenants set up."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from controlplane.api import views
from controlplane.api.links import absolute
from controlplane.api.paging import page
from controlplane.api.requests import (
    NewBucket,
    NewLink,
    NewPipeline,
    NewPreset,
    NewUpload,
    ObjectsQuery,
    PageQuery,
    PipelineChanges,
)
from controlplane.api.routing import Reply, Routes
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import BUCKETS, PIPELINES, PRESETS, SETTINGS
from controlplane.http.throttling import count_work
from controlplane.services import naming
from controlplane.services.buckets import UPLOAD_LIFETIME
from controlplane.services.pipelines import check_buckets
from controlplane.storage.files import ObjectInfo
from controlplane.store.records import Pipeline
from shared.errors import InvalidField
from shared.ids import PipelineId, PresetId
from shared.statuses import PipelineStatus

pipelines: Final = Routes("pipelines")
presets: Final = Routes("presets")
buckets: Final = Routes("buckets")


@pipelines.add(
    "POST",
    "/v1/pipelines",
    permission=Action.PIPELINES_CREATE,
    summary="Make a pipeline",
    body=NewPipeline,
    answer=views.PipelineView,
    status=201,
)
async def create_pipeline(call: Call[NewPipeline]) -> Reply:
    check_buckets(call.principal, dict(call.body))
    made = await call.request.app[PIPELINES].create(call.principal.tenant, **dict(call.body))
    return _pipeline(made, status=201)


@pipelines.add(
    "GET",
    "/v1/pipelines",
    permission=Action.PIPELINES_READ,
    summary="List pipelines",
    query=PageQuery,
    answer=views.Page[views.PipelineView],
)
async def list_pipelines(call: Call[None]) -> Reply:
    find = partial(call.request.app[PIPELINES].page, call.principal.tenant)
    return Reply(await page(call, ["pipelines"], find, lambda found: found.id, views.pipeline, naming.of_pipeline))


@pipelines.add(
    "GET",
    "/v1/pipelines/{pipeline_id}",
    permission=Action.PIPELINES_READ,
    summary="Read a pipeline",
    answer=views.PipelineView,
)
async def read_pipeline(call: Call[None]) -> Reply:
    return _pipeline(await call.request.app[PIPELINES].get(call.principal.tenant, _pipeline_id(call)))


@pipelines.add(
    "PATCH",
    "/v1/pipelines/{pipeline_id}",
    permission=Action.PIPELINES_UPDATE,
    summary="Change a pipeline; `If-Match` guards against another's change",
    body=PipelineChanges,
    answer=views.PipelineView,
)
async def update_pipeline(call: Call[PipelineChanges]) -> Reply:
    changes = call.body.model_dump(exclude_unset=True)
    null = next((name for name, value in changes.items() if value is None), None)
    if null is not None:
        raise InvalidField("This cannot be null.", pointer=f"/{null}")
    changes.pop("notifications", None)
    check_buckets(call.principal, changes)
    service = call.request.app[PIPELINES]
    changed = await service.update(
        call.principal.tenant,
        _pipeline_id(call),
        changes,
        notifications=call.body.notifications,
        if_version=_if_match(call),
    )
    return _pipeline(changed)


@pipelines.add(
    "DELETE", "/v1/pipelines/{pipeline_id}", permission=Action.PIPELINES_DELETE, summary="Delete a pipeline", status=204
)
async def delete_pipeline(call: Call[None]) -> Reply:
    await call.request.app[PIPELINES].delete(call.principal.tenant, _pipeline_id(call))
    return Reply()


@pipelines.add(
    "POST",
    "/v1/pipelines/{pipeline_id}/pause",
    permission=Action.PIPELINES_PAUSE,
    summary="Take jobs, but start none",
    answer=views.PipelineView,
)
async def pause_pipeline(call: Call[None]) -> Reply:
    return await _set_status(call, PipelineStatus.PAUSED)


@pipelines.add(
    "POST",
    "/v1/pipelines/{pipeline_id}/resume",
    permission=Action.PIPELINES_RESUME,
    summary="Start jobs again",
    answer=views.PipelineView,
)
async def resume_pipeline(call: Call[None]) -> Reply:
    return await _set_status(call, PipelineStatus.ACTIVE)


@presets.add(
    "POST",
    "/v1/presets",
    permission=Action.PRESETS_CREATE,
    summary="Make a preset",
    body=NewPreset,
    answer=views.PresetView,
    status=201,
)
async def create_preset(call: Call[NewPreset]) -> Reply:
    wanted = call.body
    made = await call.request.app[PRESETS].create(
        call.principal.tenant, wanted.name, wanted.description, wanted.settings
    )
    return Reply(views.preset(made), status=201)


@presets.add(
    "GET",
    "/v1/presets",
    permission=Action.PRESETS_READ,
    summary="List presets",
    query=PageQuery,
    answer=views.Page[views.PresetView],
)
async def list_presets(call: Call[None]) -> Reply:
    find = partial(call.request.app[PRESETS].page, call.principal.tenant_id)
    return Reply(await page(call, ["presets"], find, lambda found: found.id, views.preset, naming.of_preset))


@presets.add(
    "GET", "/v1/presets/{preset_id}", permission=Action.PRESETS_READ, summary="Read a preset", answer=views.PresetView
)
async def read_preset(call: Call[None]) -> Reply:
    found = await call.request.app[PRESETS].get(call.principal.tenant_id, PresetId(call.path("preset_id")))
    return Reply(views.preset(found))


@presets.add(
    "DELETE",
    "/v1/presets/{preset_id}",
    permission=Action.PRESETS_DELETE,
    summary="Delete a preset of one's own",
    status=204,
)
async def delete_preset(call: Call[None]) -> Reply:
    await call.request.app[PRESETS].delete(call.principal.tenant, PresetId(call.path("preset_id")))
    return Reply()


@buckets.add(
    "POST",
    "/v1/buckets",
    permission=Action.BUCKETS_CREATE,
    summary="Make a bucket",
    body=NewBucket,
    answer=views.BucketView,
    status=201,
)
async def create_bucket(call: Call[NewBucket]) -> Reply:
    made = await call.request.app[BUCKETS].create(call.principal.tenant, call.body.name, call.body.root)
    return Reply(views.bucket(made), status=201)


@buckets.add(
    "GET",
    "/v1/buckets",
    permission=Action.BUCKETS_READ,
    summary="List buckets",
    query=PageQuery,
    answer=views.Page[views.BucketView],
)
async def list_buckets(call: Call[None]) -> Reply:
    find = partial(call.request.app[BUCKETS].page, call.principal.tenant)
    return Reply(await page(call, ["buckets"], find, lambda found: found.name, views.bucket, naming.of_bucket))


@buckets.add(
    "GET", "/v1/buckets/{bucket}", permission=Action.BUCKETS_READ, summary="Read a bucket", answer=views.BucketView
)
async def read_bucket(call: Call[None]) -> Reply:
    return Reply(views.bucket(await call.request.app[BUCKETS].get(call.principal.tenant, call.path("bucket"))))


@buckets.add(
    "DELETE",
    "/v1/buckets/{bucket}",
    permission=Action.BUCKETS_DELETE,
    summary="Forget a bucket; its files stay",
    status=204,
)
async def delete_bucket(call: Call[None]) -> Reply:
    await call.request.app[BUCKETS].delete(call.principal.tenant, call.path("bucket"))
    return Reply()


@buckets.add(
    "GET",
    "/v1/buckets/{bucket}/objects",
    permission=Action.OBJECTS_READ,
    summary="List objects",
    query=ObjectsQuery,
    answer=views.Page[views.StoredObject],
)
async def list_objects(call: Call[None]) -> Reply:
    bucket, prefix = call.path("bucket"), call.query.prefix

    async def find(after: str, size: int) -> list[ObjectInfo]:
        found = await call.request.app[BUCKETS].objects(call.principal.tenant, bucket, prefix, after, size)
        count_work(call.request, found.seconds)
        return found.objects

    listed = await page(
        call, ["objects", bucket, prefix], find, lambda found: found.key, views.stored, lambda _: (f"bucket/{bucket}",)
    )
    return Reply(listed)


@buckets.add(
    "DELETE",
    "/v1/buckets/{bucket}/objects/{key:.+}",
    permission=Action.OBJECTS_DELETE,
    summary="Delete an object",
    status=204,
)
async def delete_object(call: Call[None]) -> Reply:
    key = NewUpload(key=call.path("key")).key
    await call.request.app[BUCKETS].delete_object(call.principal.tenant, call.path("bucket"), key)
    return Reply()


@buckets.add(
    "POST",
    "/v1/buckets/{bucket}/uploads",
    permission=Action.OBJECTS_CREATE,
    summary="A signed URL to PUT an object to; `Content-Range` resumes, HEAD tells from where",
    body=NewUpload,
    answer=views.LinkView,
    status=201,
)
async def create_upload(call: Call[NewUpload]) -> Reply:
    app = call.request.app
    path = await app[BUCKETS].upload_link(call.principal.tenant, call.path("bucket"), call.body.key)
    url = absolute(call.request, app[SETTINGS], path)
    return Reply(views.LinkView(method="PUT", url=url, expires_in=UPLOAD_LIFETIME), status=201)


@buckets.add(
    "POST",
    "/v1/buckets/{bucket}/links",
    permission=Action.OBJECTS_DOWNLOAD,
    summary="A signed URL to GET an object, or all below a prefix",
    body=NewLink,
    answer=views.LinkView,
    status=201,
)
async def create_link(call: Call[NewLink]) -> Reply:
    app = call.request.app
    path = await app[BUCKETS].download_link(call.principal.tenant, call.path("bucket"), call.body.key)
    url = absolute(call.request, app[SETTINGS], path)
    return Reply(views.LinkView(method="GET", url=url, expires_in=app[SETTINGS].link_lifetime), status=201)


async def _set_status(call: Call[None], status: PipelineStatus) -> Reply:
    service = call.request.app[PIPELINES]
    return _pipeline(await service.set_status(call.principal.tenant, _pipeline_id(call), status))


def _pipeline(found: Pipeline, status: int = 200) -> Reply:
    return Reply(views.pipeline(found), status=status, headers={"ETag": f'"{found.version}"'})


def _pipeline_id(call: Call[Any]) -> PipelineId:
    return PipelineId(call.path("pipeline_id"))


def _if_match(call: Call[Any]) -> int | None:
    """The version that must still stand; one that never was, for an ETag that is not ours."""
    tag = call.request.headers.get("If-Match")
    if tag is None or tag == "*":
        return None
    match = re.fullmatch(r'"([0-9]{1,18})"', tag)
    return int(match[1]) if match else -1
