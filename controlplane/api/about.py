"""What a call is about, in the words of permissions: found before the call is served, for those who may not do everything.

Each raises NotFound, in the words of the call itself, when there is no such thing or it is another tenant's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controlplane.api.requests import RetryOfFailed
from controlplane.api.routing import Find, Route
from controlplane.domain.permissions import Action, Resources
from controlplane.http.calls import PLACEHOLDER, Call
from controlplane.http.keys import BUCKETS, JOBS, PIPELINES, PRESETS, TENANTS, USERS, WEBHOOKS
from controlplane.services.naming import of_bucket, of_job, of_pipeline, of_preset
from shared.ids import EndpointId, JobId, KeyId, PipelineId, PresetId, UserId
from shared.jobspec import JobDocument


async def job(call: Call[Any]) -> Resources:
    return of_job(await call.request.app[JOBS].get(call.principal.tenant, JobId(call.path("job_id"))))


async def new_job(call: Call[JobDocument]) -> Resources:
    """Where it may run counts: a job that may run anywhere is on no cluster."""
    wanted = call.body.placement.cluster_id
    return (f"pipeline/{call.body.pipeline_id}", *((f"cluster/{wanted}",) if wanted else ()))


async def failed_jobs(call: Call[RetryOfFailed]) -> Resources:
    wanted = call.body.pipeline_id
    return (f"pipeline/{wanted}",) if wanted else ()


async def pipeline(call: Call[Any]) -> Resources:
    return of_pipeline(
        await call.request.app[PIPELINES].get(call.principal.tenant, PipelineId(call.path("pipeline_id")))
    )


async def preset(call: Call[Any]) -> Resources:
    return of_preset(await call.request.app[PRESETS].get(call.principal.tenant_id, PresetId(call.path("preset_id"))))


async def bucket(call: Call[Any]) -> Resources:
    return of_bucket(await call.request.app[BUCKETS].get(call.principal.tenant, call.path("bucket")))


async def new_bucket(call: Call[Any]) -> Resources:
    return (f"bucket/{call.body.name}",)


async def user(call: Call[Any]) -> Resources:
    await call.request.app[USERS].get(call.principal.tenant_id, UserId(call.path("user_id")))
    return ()


async def webhook(call: Call[Any]) -> Resources:
    await call.request.app[WEBHOOKS].get(call.principal.tenant, EndpointId(call.path("webhook_id")))
    return ()


async def key(call: Call[Any]) -> Resources:
    await call.request.app[TENANTS].key(call.principal.tenant_id, KeyId(call.path("key_id")))
    return ()


_FINDERS: Final[Mapping[str, Find]] = {
    "job_id": job,
    "pipeline_id": pipeline,
    "preset_id": preset,
    "bucket": bucket,
    "user_id": user,
    "key_id": key,
    "webhook_id": webhook,
}
_MADE: Final[Mapping[Action, Find]] = {
    Action.JOBS_CREATE: new_job,
    Action.JOBS_RETRY: failed_jobs,
    Action.BUCKETS_CREATE: new_bucket,
}


async def nothing(_: Call[Any]) -> Resources:
    """What has no name is for those who may do this to everything."""
    return ()


def finder(route: Route) -> Find | None:
    """By the first thing that the path names; None for lists, which show their callers what they may see."""
    for name in PLACEHOLDER.findall(route.path):
        if name in _FINDERS:
            return _FINDERS[name]
    return None if route.is_list else _MADE.get(route.permission, nothing)
