"""transcoder demo: the main job, from nothing to playable files, on this machine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click
import structlog
import uvloop
from rich.console import Console

from controlplane.commands import documents, submit, up, watching
from controlplane.commands.client import Api
from controlplane.services.acting import who_acts
from shared.logs import log_to_stderr
from shared.terminal import progress_console

INTERRUPTED = 130


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("transcoder-demo"),
    show_default=True,
    help="Where the service and the results are kept.",
)
@click.option("--insecure-unconfined", is_flag=True, help="Run ffmpeg without a sandbox where none can be made.")
def demo(file: Path, state: Path, insecure_unconfined: bool) -> None:
    """Transcode FILE on this machine and show the results.

    Starts a service, makes an HLS ladder, an MP4 and thumbnails, shows where they are, and stops."""
    log_to_stderr(who_acts)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with up.said_in_a_sentence():
        code = uvloop.run(_demo(file, state, unconfined=insecure_unconfined))
    raise click.exceptions.Exit(code)


async def _demo(file: Path, state: Path, *, unconfined: bool) -> int:
    console = progress_console()
    async with up.running(state, unconfined=unconfined, quiet=True) as service:
        showing = asyncio.create_task(_show(service, file, console), name="demo")
        interrupted = asyncio.create_task(service.ended.wait(), name="interrupted")
        await asyncio.wait({showing, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()
        if showing.done():
            return showing.result()
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        return INTERRUPTED


async def _show(service: up.Service, file: Path, console: Console) -> int:
    """Sends the file, shows its progress and where the results are; the exit code."""
    access = service.access
    console.print(f"Control plane at {access.url}, one agent on this machine.")
    async with Api(access.url, access.tenant_key) as api:
        began = time.monotonic()
        run = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        key = f"{run}/{file.name}"
        await submit.upload(api, console, access.input_bucket, key, file)
        job = await api.call("POST", "/v1/jobs", documents.ladder(access.pipeline_id, key, f"{run}/"))
        console.print(f"Job {job['id']}")
        job = await watching.watch(api, job["id"], console)
        taken = time.monotonic() - began
    watching.result(console, job)
    if job["status"] == "Complete":
        where = service.output_directory / run
        console.print(f"Done in {taken:.1f} s. Play them:")
        for name in ("hls/index.m3u8", "video.mp4", "thumbnails/"):
            console.print(f"  {where}/{name}", soft_wrap=True)
    return watching.EXIT_CODES[job["status"]]
