"""The operations on jobs."""

from __future__ import annotations

from typing import Any, Final, Literal, NoReturn

from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.errors import NotThere
from controlplane.dialects.elastictranscoder.jobs import answers, reading, refusals
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from controlplane.dialects.elastictranscoder.members import Id
from controlplane.dialects.elastictranscoder.paging import PAGE, Listing
from controlplane.dialects.elastictranscoder.wire import SUCCESS, Answer, Operations, arn, identity
from controlplane.domain.permissions import Action, Resources
from controlplane.http.calls import Call
from controlplane.http.keys import JOBS, PIPELINES
from controlplane.http.looking import visible
from controlplane.services.naming import of_job
from controlplane.store.records import Job
from shared.errors import InvalidField, NotFound
from shared.ids import JobId, PipelineId
from shared.jobspec import JobDocument

operations: Final = Operations()


class NamedJob(Structure):
    id: Id


class JobsOfPipeline(Listing):
    pipeline_id: Id


class JobsOfStatus(Listing):
    status: Literal["Submitted", "Progressing", "Complete", "Canceled", "Error"]


async def named(call: Call[NamedJob]) -> Resources:
    return of_job(await _found(call))


async def asked_for(call: Call[JobDocument]) -> Resources:
    return (f"pipeline/{call.body.pipeline_id}",)


@operations.add(
    "CreateJob",
    "POST",
    "jobs",
    permission=Action.JOBS_CREATE,
    takes=CreateJob,
    read=reading.read,
    status=201,
    find=asked_for,
    may_break_off=True,
)
async def create_job(call: Call[JobDocument]) -> Answer:
    """The very same request again is answered with the job that it made: it can only be the same one, sent twice."""
    try:
        made = await call.request.app[JOBS].submit(call.principal, call.body, identity(call, "CreateJob"))
    except InvalidField as error:
        _refuse(call, error)
    if made.parts is None:
        return {"Job": _view(call, made.job)}
    return {"Job": answers.submitted(made.job, made.parts.recipe, made.parts.aside, arn(call, "job", ""))}


@operations.add("ReadJob", "GET", "jobs/{Id}", permission=Action.JOBS_READ, takes=NamedJob, find=named, noun="job")
async def read_job(call: Call[NamedJob]) -> Answer:
    return {"Job": _view(call, await _found(call))}


@operations.add(
    "CancelJob",
    "DELETE",
    "jobs/{Id}",
    permission=Action.JOBS_CANCEL,
    takes=NamedJob,
    status=202,
    find=named,
    noun="job",
)
async def cancel_job(call: Call[NamedJob]) -> Answer:
    """Only what is Submitted, as was documented: what is Canceled already is refused here, unlike natively."""
    await call.request.app[JOBS].cancel(call.principal.tenant, JobId(call.body.id), once=True)
    return SUCCESS


@operations.add(
    "ListJobsByPipeline",
    "GET",
    "jobsByPipeline/{PipelineId}",
    permission=Action.JOBS_READ,
    takes=JobsOfPipeline,
)
async def list_jobs_by_pipeline(call: Call[JobsOfPipeline]) -> Answer:
    pipeline_id = PipelineId(call.body.pipeline_id)
    try:
        await call.request.app[PIPELINES].get(call.principal.tenant, pipeline_id)
    except NotFound as error:
        raise NotThere("pipeline", call.principal.tenant, pipeline_id) from error
    return await _page(call, {"pipeline_id": pipeline_id, "status": None, "cluster_id": None})


@operations.add("ListJobsByStatus", "GET", "jobsByStatus/{Status}", permission=Action.JOBS_READ, takes=JobsOfStatus)
async def list_jobs_by_status(call: Call[JobsOfStatus]) -> Answer:
    return await _page(call, {"status": call.body.status, "pipeline_id": None, "cluster_id": None})


def _refuse(call: Call[JobDocument], error: InvalidField) -> NoReturn:
    """In the words of the wire; what is named and is not there was no matter of validation."""
    pointer, account = error.pointer or "", call.principal.tenant
    if pointer == "/pipeline_id":
        raise NotThere("pipeline", account, call.body.pipeline_id) from error
    sent = CreateJob.model_validate_json(call.sent)
    if pointer.endswith("/preset_id"):
        raise NotThere("preset", account, refusals.value(pointer, sent)) from error
    raise refusals.in_wire_names(error, sent) from error


async def _page(call: Call[Any], wanted: dict[str, str | None]) -> Answer:
    asked: Listing = call.body
    service, tenant_id = call.request.app[JOBS], call.principal.tenant

    async def batch(after: str | None, size: int) -> tuple[list[Job], str | None]:
        return await service.listed(
            tenant_id, wanted, ascending=asked.is_ascending, after=after or asked.after, size=size
        )

    found, more = await visible(call, batch, of_job, token=asked.page_token, size=PAGE)
    return {"Jobs": [_view(call, job) for job in found], "NextPageToken": more}


async def _found(call: Call[NamedJob]) -> Job:
    return await call.request.app[JOBS].get(call.principal.tenant, JobId(call.body.id))


def _view(call: Call[Any], found: Job) -> dict[str, Any]:
    return answers.job(found, call.request.app[JOBS].progress(found), arn(call, "job", ""))
