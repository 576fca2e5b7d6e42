"""A job's life on a terminal: one bar with percent, speed, time left, node and encoder."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from controlplane.commands.client import EXIT_CANCELED, EXIT_FAILED, Api
from shared.redaction import tame

LINE_EVERY = 10.0
"""Percent between two lines where no terminal can show a bar."""
EXIT_CODES = {"Complete": 0, "Error": EXIT_FAILED, "Canceled": EXIT_CANCELED}


async def watch(api: Api, job_id: str, console: Console) -> dict[str, Any]:
    """Shows a job until it has ended; the job."""
    columns = (
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:5.1f} %"),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, expand=True) as progress:
        bar = progress.add_task("Submitted", total=100, detail="")
        node, told = "", 0.0
        async for kind, data in api.watch(job_id):
            if kind == "end":
                ended: dict[str, Any] = data
                if ended["status"] == "Complete":
                    progress.update(bar, completed=100)
                progress.update(bar, description=ended["status"], detail=node)
                return ended
            if kind == "progress":
                detail = _detail(data, node)
                progress.update(bar, description=data["phase"], completed=data["percent"], detail=detail)
                if not console.is_terminal and data["percent"] >= told:
                    console.print(f"{data['percent']:5.1f} %  {data['phase']}  {detail}")
                    told = data["percent"] + LINE_EVERY
            else:
                node = (data["data"] or {}).get("node_id", node)
                progress.update(bar, description=kind)
                if not console.is_terminal:
                    console.print(f"{kind} {node}".rstrip())
    raise click.ClickException("The control plane stopped telling of this job.")


def result(console: Console, job: dict[str, Any]) -> None:
    """What came of a job, output by output."""
    for output in [*job["outputs"], *job["playlists"]]:
        name = output.get("key") or output.get("name")
        detail = output["status_detail"]
        size = f"{output['width']}x{output['height']}" if output.get("width") else ""
        seconds = f"{output['duration']:.2f} s" if output.get("duration") else ""
        why = f"{detail['code']}: {detail['message']}" if detail else ""
        console.print(tame(f"  {output['status']:<9} {name}  {size} {seconds} {why}".rstrip()), soft_wrap=True)


async def follow_log(api: Api, path: str, attempt: int | None, format_: str) -> None:
    """Lines as they come; as JSON one object a piece."""
    shown = 0
    query = f"?attempt={attempt}" if attempt else ""
    async for kind, data in api.stream(path + query):
        if kind == "log" and format_ == "json":
            click.echo(json.dumps(data))
        elif kind == "log":
            log_lines(data, is_new=data["attempt"] != shown)
            shown = data["attempt"]


def log_lines(part: dict[str, Any], *, is_new: bool) -> None:
    if is_new:
        click.echo(f"== attempt {part['attempt']} on {part['node_id']}")
    click.echo(part["text"], nl=False)


def _detail(told: dict[str, Any], node: str) -> str:
    parts = [
        f"{told['fps']:.0f} fps" if told["fps"] else "",
        f"{told['speed']:.2f}x" if told["speed"] else "",
        f"{told['eta']:.0f} s left" if told["eta"] is not None else "",
        f"{node[:11]}…{node[-4:]}" if node else "",
        told["encoder"] or "",
    ]
    return "  ".join(part for part in parts if part)
