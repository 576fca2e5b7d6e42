"""/v1/jobs"""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web

from controlplane.api import about, views
from controlplane.api.links import absolute
from controlplane.api.requests import LAST_EVENT, EventsQuery, JobsQuery, LogQuery, RetryOfFailed, RetryOfJob
from controlplane.api.routing import Reply, Routes
from controlplane.api.streaming import EventStream, watcher, watching
from controlplane.domain import documents
from controlplane.domain.lifecycle import TERMINAL_JOBS
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import BUCKETS, JOBS, LOGS, REASONS, SETTINGS
from controlplane.http.looking import visible
from controlplane.http.throttling import count_more
from controlplane.services import naming
from controlplane.services.jobs import Jobs, Submission
from controlplane.services.logs import START, Position
from controlplane.store.records import Job
from shared.clock import to_ms
from shared.errors import InvalidField
from shared.ids import Attempt, JobId, PipelineId, TenantId
from shared.jobspec import JobDocument

routes: Final = Routes("jobs")

QUIET_SECONDS: Final = 15.0
"""A stream of events that has nothing to tell says so this often, so that nobody in between closes it."""


@routes.add(
    "POST",
    "/v1/jobs",
    permission=Action.JOBS_CREATE,
    summary="Submit a job",
    body=JobDocument,
    read=documents.read,
    answer=views.JobView,
    status=201,
    may_break_off=True,
)
async def create(call: Call[JobDocument]) -> Reply:
    jobs = call.request.app[JOBS]
    made = await jobs.submit(call.principal, call.body, jobs.identity(_token(call), call.sent))
    return await _made(call, made)


@routes.add(
    "GET",
    "/v1/jobs",
    permission=Action.JOBS_READ,
    summary="List jobs",
    query=JobsQuery,
    answer=views.Page[views.JobView],
)
async def page(call: Call[None]) -> Reply:
    query: JobsQuery = call.query
    wanted: dict[str, str | None] = {
        "status": query.status,
        "pipeline_id": query.pipeline_id,
        "cluster_id": query.cluster_id,
    }
    jobs, tenant_id = call.request.app[JOBS], call.principal.tenant

    async def batch(token: str | None, size: int) -> tuple[list[Job], str | None]:
        return await jobs.page(
            tenant_id, wanted, query.metadata, ascending=query.ascending, page_token=token, size=size
        )

    found, more = await visible(call, batch, naming.of_job, token=query.page_token, size=query.page_size)
    return Reply({"items": [await _view(call, job) for job in found], "next_page_token": more})


@routes.add("GET", "/v1/jobs/{job_id}", permission=Action.JOBS_READ, summary="Read a job", answer=views.JobView)
async def read(call: Call[None]) -> Reply:
    return Reply(await _view(call, await call.request.app[JOBS].get(call.principal.tenant, _id(call))))


@routes.add(
    "POST",
    "/v1/jobs/{job_id}/cancel",
    permission=Action.JOBS_CANCEL,
    summary="Cancel a job that has not begun",
    answer=views.JobView,
)
async def cancel(call: Call[None]) -> Reply:
    return Reply(await _view(call, await call.request.app[JOBS].cancel(call.principal.tenant, _id(call))))


@routes.add(
    "POST",
    "/v1/jobs/{job_id}/stop",
    permission=Action.JOBS_STOP,
    summary="Stop a job that runs",
    answer=views.JobView,
    status=202,
)
async def stop(call: Call[None]) -> Reply:
    return Reply(await _view(call, await call.request.app[JOBS].stop(call.principal.tenant, _id(call))), status=202)


@routes.add(
    "POST",
    "/v1/jobs/{job_id}/start",
    permission=Action.JOBS_START,
    summary="Start a job made with `start: manual`",
    answer=views.JobView,
)
async def start(call: Call[None]) -> Reply:
    return Reply(await _view(call, await call.request.app[JOBS].start(call.principal.tenant, _id(call))))


@routes.add(
    "POST",
    "/v1/jobs/{job_id}/reveal",
    permission=Action.JOBS_REVEAL,
    summary="Tell the keys that a job's objects are encrypted with",
    answer=views.ContentKeysView,
)
async def reveal(call: Call[None]) -> Reply:
    found = await call.request.app[JOBS].reveal(call.principal.tenant, _id(call))
    return Reply(views.content_keys(found))


@routes.add(
    "POST",
    "/v1/jobs/{job_id}/retry",
    permission=Action.JOBS_RETRY,
    summary="Make a new job that repeats one that has ended",
    body=RetryOfJob,
    answer=views.JobView,
    status=201,
)
async def retry(call: Call[RetryOfJob]) -> Reply:
    made = await call.request.app[JOBS].retry(call.principal.tenant, _id(call), _token(call))
    return await _made(call, made)


@routes.add(
    "POST",
    "/v1/jobs/retry",
    permission=Action.JOBS_RETRY,
    summary="Retry every job that failed in a time and was not retried yet",
    body=RetryOfFailed,
    answer=views.RetriesView,
)
async def retry_failed(call: Call[RetryOfFailed]) -> Reply:
    return Reply(await retried(call, call.principal.tenant))


async def retried(call: Call[RetryOfFailed], tenant_id: TenantId) -> views.RetriesView:
    """A portion of a tenant's failures, each retried once however often this is asked."""
    asked = call.body
    done = await call.request.app[JOBS].retry_failed(
        tenant_id,
        since=to_ms(asked.failed_since),
        before=to_ms(asked.failed_before) if asked.failed_before else None,
        pipeline_id=PipelineId(asked.pipeline_id) if asked.pipeline_id else None,
        size=asked.limit,
    )
    count_more(call.request, len(done.made))
    return views.retries(done.made, has_more=done.has_more)


@routes.add(
    "GET",
    "/v1/jobs/{job_id}/events",
    permission=Action.JOBS_READ,
    summary="What happened to a job: JSON, or as it happens with `Accept: text/event-stream`",
    query=EventsQuery,
    answer=views.Page[views.EventView],
    is_stream=True,
)
async def events(call: Call[None]) -> Reply | web.StreamResponse:
    jobs, tenant_id, job_id = call.request.app[JOBS], call.principal.tenant, _id(call)
    if "text/event-stream" not in call.request.headers.get("Accept", ""):
        history = await jobs.history(tenant_id, job_id, call.query.after)
        return Reply(views.Page[views.EventView](items=[views.event(event) for event in history]))
    after = last_event_id(call) or 0
    await jobs.get(tenant_id, job_id)
    with watching(call):
        return await _streamed(call, jobs, tenant_id, job_id, after)


async def _streamed(call: Call[None], jobs: Jobs, tenant_id: TenantId, job_id: JobId, after: int) -> web.StreamResponse:
    stream = await EventStream.open(call.request)
    async for update in jobs.watch(tenant_id, job_id, after, QUIET_SECONDS):
        if not await _may_go_on(call):
            return stream.response
        if update is None:
            await stream.comment("quiet")
        elif update.event is not None:
            await stream.send(views.event(update.event), event=update.event.type, event_id=str(update.event.id))
        elif update.progress is not None:
            await stream.send(update.progress, event="progress")
    job = await jobs.get(tenant_id, job_id)
    if job.status in TERMINAL_JOBS:  # else the service stops: the watcher goes on elsewhere
        await stream.send(await _view(call, job), event="end")
    return stream.response


@routes.add(
    "GET",
    "/v1/jobs/{job_id}/log",
    permission=Action.JOBS_READ,
    summary="The last lines of each attempt: JSON, `Accept: text/plain`, or as they come with `text/event-stream`",
    query=LogQuery,
    answer=views.Page[views.LogView],
    is_stream=True,
)
async def log(call: Call[None]) -> Reply | web.StreamResponse:
    tenant_id, job_id, accepted = call.principal.tenant, _id(call), call.request.headers.get("Accept", "")
    wanted: int | None = call.query.attempt
    if "text/event-stream" in accepted:
        await call.request.app[JOBS].get(tenant_id, job_id)
        with watching(call):
            return await _follow_log(call, tenant_id, job_id, wanted)
    kept = await call.request.app[LOGS].read(tenant_id, job_id)
    found = [one for one in kept if wanted in (None, one.attempt)]
    if "text/plain" in accepted:
        text = "".join(f"== attempt {one.attempt} on {one.node_id}\n{one.text}" for one in found)
        return web.Response(text=text, content_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})
    return Reply(views.Page[views.LogView](items=[views.log(one) for one in found]))


async def _follow_log(call: Call[None], tenant_id: TenantId, job_id: JobId, wanted: int | None) -> web.StreamResponse:
    """Each event is what came since the one before; its id tells the reader's position."""
    app = call.request.app
    stream = await EventStream.open(call.request)
    async for part in app[LOGS].follow(tenant_id, job_id, _position(call), QUIET_SECONDS):
        if not await _may_go_on(call):
            return stream.response
        if part is None:
            await stream.comment("quiet")
        elif wanted in (None, part.attempt):
            await stream.send(views.log(part), event="log", event_id=f"{part.attempt}.{part.said}")
    job = await app[JOBS].get(tenant_id, job_id)
    if job.status in TERMINAL_JOBS:
        await stream.send({"status": job.status}, event="end")
    return stream.response


def _position(call: Call[None]) -> Position:
    told = _POSITION.fullmatch(call.request.headers.get("Last-Event-ID", ""))
    return Position(Attempt(int(told[1])), int(told[2])) if told else START


_POSITION: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,15})", re.ASCII)


@routes.add(
    "GET",
    "/v1/jobs/{job_id}/outputs",
    permission=Action.JOBS_DOWNLOAD,
    summary="Signed links to what a job made",
    answer=views.Page[views.OutputLinks],
)
async def outputs(call: Call[None]) -> Reply:
    """Links of one prefix: the names inside playlists resolve against them."""
    app, tenant_id = call.request.app, call.principal.tenant
    job = await app[JOBS].get(tenant_id, _id(call))
    view = await _view(call, job)
    made = [produced for result in (*view["outputs"], *view["playlists"]) for produced in result["objects"]]
    keys = [(produced["key"], produced["role"]) for produced in made]
    links = app[BUCKETS].output_links(await app[JOBS].files(job), keys)
    items = [
        views.OutputLinks(key=produced["key"], role=produced["role"], url=absolute(call.request, app[SETTINGS], link))
        for produced, link in zip(made, links, strict=True)
    ]
    return Reply(views.Page[views.OutputLinks](items=items))


async def _may_go_on(call: Call[None]) -> bool:
    """Whether who opened a stream may still see this job."""
    caller = await watcher(call)
    return caller is not None and (not caller.statements or caller.may(call.action, await about.job(call)))


async def _view(call: Call[Any], job: Job) -> dict[str, Any]:
    app = call.request.app
    return views.job(job, app[JOBS].progress(job), await app[REASONS].because(job))


def _id(call: Call[Any]) -> JobId:
    return JobId(call.path("job_id"))


async def _made(call: Call[Any], made: Submission) -> Reply:
    headers = {"Location": f"/v1/jobs/{made.job.id}"}
    if made.replayed:
        headers["Idempotency-Replayed"] = "true"
    if made.parts is None:
        return Reply(await _view(call, made.job), status=201, headers=headers)
    waiting = await call.request.app[REASONS].because(made.job)
    return Reply(views.submitted(made.job, waiting, made.parts.recipe, made.parts.aside), status=201, headers=headers)


def _token(call: Call[JobDocument] | Call[RetryOfJob]) -> str | None:
    """The body's token or the `Idempotency-Key` header: the same thing."""
    header, token = call.request.headers.get("Idempotency-Key"), call.body.client_request_token
    if header is None:
        return token
    if token is not None and token != header:
        raise InvalidField("`Idempotency-Key` and `client_request_token` differ.", pointer="/client_request_token")
    if not (0 < len(header) <= 64 and header.isascii() and header.isprintable()):
        raise InvalidField("`Idempotency-Key` has 1 to 64 printable ASCII characters.")
    return header


def last_event_id(call: Call[None]) -> int | None:
    """Where a stream goes on that was broken: browsers say so by themselves. Else what the URL says."""
    header = call.request.headers.get("Last-Event-ID", "")
    after: int | None = call.query.after
    return min(int(header), LAST_EVENT) if _NUMBER.fullmatch(header) else after


_NUMBER: Final = re.compile(r"[0-9]{1,20}")
