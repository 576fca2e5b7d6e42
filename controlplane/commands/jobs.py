"""transcoder jobs"""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
from typing import Any

import click

from controlplane.commands import documents, output, watching
from controlplane.commands.client import Api, api_command
from shared.statuses import JobStatus
from shared.terminal import console, progress_console


class Moment(click.ParamType[dt.datetime]):
    """A time, or how long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        if isinstance(value, dt.datetime):
            return value
        if ago := _AGO.fullmatch(value):
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
        except ValueError:
            self.fail(f"{value!r} is neither a time, as 2026-11-22T10:00:00Z, nor how long ago, as 2h.", param, ctx)


_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.group()
def jobs() -> None:
    """List, show, watch, cancel, stop, start and retry jobs."""


@jobs.command("list")
@click.option("--status", type=click.Choice([status.value for status in JobStatus]), help="Only jobs with this status.")
@click.option("--pipeline", "pipeline_id", help="Only jobs of this pipeline.")
@click.option("--cluster", "cluster_id", help="Only jobs that ran, or are to run, in this cluster.")
@click.option("--metadata", "notes", multiple=True, metavar="KEY=VALUE", help="Only jobs with this in their metadata.")
@click.option("--ascending", is_flag=True, help="Oldest first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@output.format_option
@api_command
async def list_(
    api: Api,
    status: str | None,
    pipeline_id: str | None,
    cluster_id: str | None,
    notes: tuple[str, ...],
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
        **{f"metadata.{key}": value for key, value in map(documents.note, notes)},
    }
    async for job in api.pages("/v1/jobs", page_size=min(limit, 200), **query):
        found.append(job)
        if len(found) == limit:
            break
    columns: dict[str, output.Show] = {
        "ID": lambda job: job["id"],
        "STATUS": lambda job: job["status"],
        "PROGRESS": lambda job: f"{job['progress']['percent']:.0f} %" if job["progress"] else "",
        "INPUT": lambda job: _inputs(job)[0] + (f" +{len(job['inputs']) - 1}" if len(job["inputs"]) > 1 else ""),
        "OUTPUTS": lambda job: str(len(job["outputs"])),
        "SUBMITTED": lambda job: job["timing"]["submitted_at"],
    }
    output.listed(found, columns, format_)


@jobs.command()
@output.format_option
@api_command
async def follow(api: Api, format_: str) -> None:
    """What happens to all jobs, from now on. A line for each event, until Ctrl-C."""
    async for kind, event in api.stream("/v1/events", last_id=""):
        if format_ == "json":
            click.echo(json.dumps(event))
        else:
            click.echo(f"{event['at']}  {event['job_id']}  {kind}")


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
        details = ((name, _detail(value)) for name, value in waiting["details"].items())
        output.pairs([("Waits", waiting["message"]), ("Code", waiting["code"]), *details])


def _detail(value: Any) -> Any:
    return " ".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else value


@jobs.command()
@click.argument("job_id")
@output.format_option
@api_command
async def watch(api: Api, job_id: str, format_: str) -> None:
    """Show progress until the job has ended.

    Exit code 0: Complete, 1: Error, 5: Canceled.
    """
    shown = progress_console(stderr=format_ == "json")
    job = await watching.watch(api, job_id, shown)
    if format_ == "json":
        output.document(job)
    else:
        watching.result(shown, job)
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
async def outputs(api: Api, job_id: str, format_: str) -> None:
    """Links to what a job made.

    For a player or for curl; good for an hour, unless the operator has set another time.
    """
    found = (await api.call("GET", f"/v1/jobs/{job_id}/outputs"))["items"]
    columns: dict[str, output.Show] = {
        "KEY": lambda one: one["key"],
        "ROLE": lambda one: one["role"],
        "URL": lambda one: one["url"],
    }
    output.listed(found, columns, format_)


def _add_verb(verb: str, meaning: str) -> None:
    @jobs.command(verb, help=meaning)
    @click.argument("job_id")
    @output.format_option
    @api_command
    async def done(api: Api, job_id: str, format_: str) -> None:
        _show(await api.call("POST", f"/v1/jobs/{job_id}/{verb}"), format_)


_add_verb("cancel", "Cancel a job that no node has begun.")
_add_verb("stop", "Stop a job that runs.")
_add_verb("start", "Start a job that was submitted with --manual.")


@jobs.command()
@click.argument("job_id", required=False)
@click.option(
    "--failed-since",
    type=Moment(),
    help="Instead of one job: every one that failed since then, as `2h`, `30m` or a time in ISO 8601.",
)
@click.option("--pipeline", "pipeline_id", help="With --failed-since: of this pipeline alone.")
@click.option("--tenant", "tenant_id", help="With --failed-since, for operators: of this tenant.")
@output.format_option
@api_command
async def retry(
    api: Api,
    job_id: str | None,
    failed_since: dt.datetime | None,
    pipeline_id: str | None,
    tenant_id: str | None,
    format_: str,
) -> None:
    """Repeat a job that has ended, as a new job.

    With --failed-since, every job that failed since then.
    """
    if (job_id is None) == (failed_since is None):
        raise click.UsageError("Name a job, or say --failed-since.")
    if failed_since is None:
        _show(
            await api.call("POST", f"/v1/jobs/{job_id}/retry", {"client_request_token": secrets.token_hex(16)}), format_
        )
        return
    asked = {"failed_since": failed_since.isoformat(), "failed_before": dt.datetime.now(dt.UTC).isoformat()}
    if pipeline_id is not None:
        asked["pipeline_id"] = pipeline_id
    path = f"/v1/tenants/{tenant_id}/jobs/retry" if tenant_id else "/v1/jobs/retry"
    made: list[Any] = []
    has_more = True
    while has_more:
        answer = await api.call("POST", path, asked)
        made += answer["items"]
        has_more = answer["has_more"] and answer["items"]
    output.listed(made, {"JOB": lambda one: one["id"], "RETRY OF": lambda one: one["retry_of"]}, format_)


def _inputs(job: dict[str, Any]) -> list[str]:
    return [str(wanted["key"]) for wanted in job["inputs"]]


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
            ("Retry of", job["retry_of"]),
            *(
                (f"Input {number}" if len(job["inputs"]) > 1 else "Input", key)
                for number, key in enumerate(_inputs(job), 1)
            ),
            ("Submitted", job["timing"]["submitted_at"]),
            ("Started", job["timing"]["started_at"]),
            ("Finished", job["timing"]["finished_at"]),
        ]
    )
    watching.result(console(), job)
