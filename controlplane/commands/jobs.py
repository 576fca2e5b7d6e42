"""transcoder jobs"""

from __future__ import annotations

from typing import Any

import click

from controlplane.commands import output, watching
from controlplane.commands.client import Api, api_command
from shared.statuses import JobStatus


@click.group()
def jobs() -> None:
    """List, show, watch, cancel, stop and start jobs."""


@jobs.command("list")
@click.option("--status", type=click.Choice([status.value for status in JobStatus]))
@click.option("--pipeline", "pipeline_id")
@click.option("--cluster", "cluster_id")
@click.option("--ascending", is_flag=True, help="Oldest first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@output.format_option
@api_command
async def list_(
    api: Api,
    status: str | None,
    pipeline_id: str | None,
    cluster_id: str | None,
    ascending: bool,
    limit: int,
    format_: str,
) -> None:
    """Jobs of the last six months, newest first."""
    found: list[Any] = []
    query = {
        "status": status,
        "pipeline_id": pipeline_id,
        "cluster_id": cluster_id,
        "ascending": str(ascending).lower(),
    }
    async for job in api.pages("/v1/jobs", page_size=min(limit, 200), **query):
        found.append(job)
        if len(found) == limit:
            break
    columns: dict[str, output.Show] = {
        "ID": lambda job: job["id"],
        "STATUS": lambda job: job["status"],
        "PROGRESS": lambda job: f"{job['progress']['percent']:.0f} %" if job["progress"] else "",
        "INPUT": lambda job: job["inputs"][0]["key"],
        "OUTPUTS": lambda job: str(len(job["outputs"])),
        "SUBMITTED": lambda job: job["timing"]["submitted_at"],
    }
    output.listed(found, columns, format_)


@jobs.command()
@click.argument("job_id")
@output.format_option
@api_command
async def show(api: Api, job_id: str, format_: str) -> None:
    """Everything that is known of a job."""
    _show(await api.call("GET", f"/v1/jobs/{job_id}"), format_)


@jobs.command()
@click.argument("job_id")
@output.format_option
@api_command
async def why(api: Api, job_id: str, format_: str) -> None:
    """Why a job waits; nothing for one that does not."""
    waiting = (await api.call("GET", f"/v1/jobs/{job_id}"))["waiting_because"]
    if format_ == "json":
        output.document(waiting)
    elif waiting is not None:
        output.pairs([("Waits", waiting["message"]), ("Code", waiting["code"]), *waiting["details"].items()])


@jobs.command()
@click.argument("job_id")
@output.format_option
@api_command
async def watch(api: Api, job_id: str, format_: str) -> None:
    """Progress until the job has ended: exit code 0 Complete, 1 Error, 5 Canceled."""
    job = await watching.watch(api, job_id, output.console)
    if format_ == "json":
        output.document(job)
    else:
        watching.result(output.console, job)
    raise click.exceptions.Exit(watching.EXIT_CODES[job["status"]])


@jobs.command()
@click.argument("job_id")
@click.option("--attempt", type=click.IntRange(1), help="Of this attempt alone.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@output.format_option
@api_command
async def log(api: Api, job_id: str, attempt: int | None, follow: bool, format_: str) -> None:
    """The last lines of what nodes said while they worked on a job."""
    path = f"/v1/jobs/{job_id}/log"
    if follow:
        await watching.follow_log(api, path, attempt, format_)
        return
    found = (await api.call("GET", path, attempt=attempt))["items"]
    if format_ == "json":
        output.document(found)
    else:
        for part in found:
            watching.log_lines(part, is_new=True)


@jobs.command()
@click.argument("job_id")
@output.format_option
@api_command
async def cancel(api: Api, job_id: str, format_: str) -> None:
    """Cancel a job that no node has begun."""
    _show(await api.call("POST", f"/v1/jobs/{job_id}/cancel"), format_)


@jobs.command()
@click.argument("job_id")
@output.format_option
@api_command
async def stop(api: Api, job_id: str, format_: str) -> None:
    """Stop a job that runs."""
    _show(await api.call("POST", f"/v1/jobs/{job_id}/stop"), format_)


@jobs.command()
@click.argument("job_id")
@output.format_option
@api_command
async def start(api: Api, job_id: str, format_: str) -> None:
    """Start a job that was submitted with --manual."""
    _show(await api.call("POST", f"/v1/jobs/{job_id}/start"), format_)


def _show(job: dict[str, Any], format_: str) -> None:
    if format_ == "json":
        output.document(job)
        return
    progress, attempt = job["progress"], job["attempt"]
    detail = job["status_detail"]
    output.pairs(
        [
            ("Job", job["id"]),
            ("Status", job["status"]),
            ("Why", f"{detail['code']}: {detail['message']}" if detail else None),
            ("Waits", job["waiting_because"] and job["waiting_because"]["message"]),
            ("Progress", f"{progress['percent']:.1f} %, {progress['phase']}" if progress else None),
            ("Attempt", f"{attempt['number']} on {attempt['node_id']}" if attempt else None),
            ("Pipeline", job["pipeline_id"]),
            ("Input", job["inputs"][0]["key"]),
            ("Submitted", job["timing"]["submitted_at"]),
            ("Started", job["timing"]["started_at"]),
            ("Finished", job["timing"]["finished_at"]),
        ]
    )
    watching.result(output.console, job)
