"""transcoder submit: from a file on this machine to a job."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from controlplane.commands import documents, output, watching
from controlplane.commands.client import Api, api_command, file_size
from shared.terminal import progress_console


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--pipeline", help="Id; may be left out while there is only one.")
@click.option("--preset", "presets", multiple=True, help="An output per preset; an HLS ladder and an MP4 by default.")
@click.option(
    "--job",
    "job_file",
    type=click.File(),
    help="A job document to send, the keys of its inputs replaced by the FILEs; - reads it.",
)
@click.option(
    "--prefix", help="What output keys begin with. By default a new one of name, time and chance; none with --job."
)
@click.option("--metadata", "notes", multiple=True, metavar="KEY=VALUE", help="A note kept with the job. Repeatable.")
@click.option("--priority", type=click.IntRange(-50, 50), help="The highest first; 0 by default.")
@click.option("--cluster", help="Run in this cluster only.")
@click.option("--manual", is_flag=True, help="Wait for `transcoder jobs start`.")
@click.option(
    "--watch", "watched", is_flag=True, help="Show progress until the job has ended; the exit code tells how."
)
@output.format_option
@api_command
async def submit(
    api: Api,
    files: tuple[Path, ...],
    pipeline: str | None,
    presets: tuple[str, ...],
    job_file: IO[str] | None,
    prefix: str | None,
    notes: tuple[str, ...],
    priority: int | None,
    cluster: str | None,
    manual: bool,
    watched: bool,
    format_: str,
) -> None:
    """Upload FILEs and submit a job that transcodes them.

    Several files are joined, one after the other, in every output.

    The job is made under a client request token of its own, used again when the connection breaks: it is made once.
    """
    if job_file is not None and presets:
        raise click.UsageError("--job and --preset exclude each other: a job document names its presets itself.")
    console = progress_console(stderr=format_ == "json")
    given = documents.read(job_file, "--job") if job_file is not None else None
    chosen = await find_pipeline(api, pipeline)
    asked = [await api.call("GET", f"/v1/presets/{preset}") for preset in presets]
    keys = [f"uploads/{uuid.uuid4().hex[:8]}/{file.name}" for file in files]
    for key, file in zip(keys, files, strict=True):
        await upload(api, console, chosen["input_bucket"], key, file)
    base = prefix if prefix is not None else _new_prefix(files[0])
    if given is not None:
        named = {"output_key_prefix": prefix} if prefix is not None else {}
        document = {**given, "pipeline_id": chosen["id"], **named}
    elif asked:
        document = documents.from_presets(chosen["id"], keys[0], base, asked)
    else:
        document = documents.ladder(chosen["id"], keys[0], base)
    document["inputs"] = documents.inputs(keys, document.get("inputs"))
    if notes:
        document["metadata"] = {**(document.get("metadata") or {}), **dict(map(documents.note, notes))}
    if priority is not None:
        document["priority"] = priority
    if cluster is not None:
        document["placement"] = {**document.get("placement", {}), "cluster_id": cluster}
    if manual:
        document["start"] = "manual"
    document.setdefault("client_request_token", str(uuid.uuid4()))
    job = await api.call("POST", "/v1/jobs", document)
    console.print(f"Job {job['id']}")
    if watched:
        job = await watching.watch(api, job["id"], console)
        watching.result(console, job)
    if format_ == "json":
        output.document(job)
    if watched:
        raise click.exceptions.Exit(watching.EXIT_CODES[job["status"]])


def _new_prefix(file: Path) -> str:
    """One that no other submission of the file has, within the same second either."""
    return f"{file.stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:4]}/"


async def find_pipeline(api: Api, pipeline_id: str | None) -> dict[str, Any]:
    if pipeline_id is not None:
        found: dict[str, Any] = await api.call("GET", f"/v1/pipelines/{pipeline_id}")
        return found
    pipelines = [one async for one in api.pages("/v1/pipelines")]
    if not pipelines:
        raise click.UsageError("There is no pipeline yet; make one with `transcoder pipelines create`.")
    if len(pipelines) > 1:
        named = ", ".join(f"{one['id']} ({one['name']})" for one in pipelines)
        raise click.UsageError(f"There are {len(pipelines)} pipelines; choose one with --pipeline: {named}.")
    only: dict[str, Any] = pipelines[0]
    return only


async def upload(api: Api, console: Console, bucket: str, key: str, file: Path) -> None:
    columns = (TextColumn("[bold]upload"), BarColumn(bar_width=None), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, expand=True) as progress:
        bar = progress.add_task("upload", total=file_size(file))
        await api.upload(bucket, key, file, lambda moved: progress.advance(bar, moved))
