"""transcoder buckets, pipelines, presets: what a tenant sets up before its first job"""

from __future__ import annotations

import click

from controlplane.commands import output
from controlplane.commands.client import Api, api_command


@click.group()
def buckets() -> None:
    """Where inputs and outputs lie."""


@buckets.command("create")
@click.argument("name")
@click.option("--root", help="A directory below <bucket root>/<tenant id>/; by default one of the bucket's name.")
@output.format_option
@api_command
async def create_bucket(api: Api, name: str, root: str | None, format_: str) -> None:
    """Make a bucket."""
    output.made(await api.call("POST", "/v1/buckets", {"name": name, "root": root}), format_, shown="name")


@buckets.command("list")
@output.format_option
@api_command
async def list_buckets(api: Api, format_: str) -> None:
    """All buckets."""
    columns: dict[str, output.Show] = {"NAME": lambda one: one["name"], "ROOT": lambda one: one["root"]}
    output.listed([bucket async for bucket in api.pages("/v1/buckets")], columns, format_)


@buckets.command("delete")
@click.argument("name")
@api_command
async def delete_bucket(api: Api, name: str) -> None:
    """Forget a bucket; its files stay where they are."""
    await api.call("DELETE", f"/v1/buckets/{name}")


@click.group()
def pipelines() -> None:
    """Queues, each with its buckets: jobs are submitted to one."""


@pipelines.command("create")
@click.argument("name")
@click.option("--input-bucket", required=True, help="The bucket that jobs read.")
@click.option("--output-bucket", required=True, help="The bucket that outputs go into.")
@click.option("--thumbnail-bucket", help="The bucket that thumbnails go into; that of the outputs by default.")
@output.format_option
@api_command
async def create_pipeline(
    api: Api, name: str, input_bucket: str, output_bucket: str, thumbnail_bucket: str | None, format_: str
) -> None:
    """Make a pipeline between two buckets that are there."""
    wanted = {"name": name, "input_bucket": input_bucket, "output_bucket": output_bucket}
    made = await api.call("POST", "/v1/pipelines", {**wanted, "thumbnail_bucket": thumbnail_bucket})
    output.made(made, format_)


@pipelines.command("list")
@output.format_option
@api_command
async def list_pipelines(api: Api, format_: str) -> None:
    """All pipelines."""
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "NAME": lambda one: one["name"],
        "STATUS": lambda one: one["status"],
        "READS": lambda one: one["input_bucket"],
        "WRITES": lambda one: one["output_bucket"],
        "THUMBNAILS": lambda one: one["thumbnail_bucket"],
    }
    output.listed([pipeline async for pipeline in api.pages("/v1/pipelines")], columns, format_)


@pipelines.command("show")
@click.argument("pipeline_id")
@api_command
async def show_pipeline(api: Api, pipeline_id: str) -> None:
    """One pipeline, as JSON."""
    output.document(await api.call("GET", f"/v1/pipelines/{pipeline_id}"))


@pipelines.command("pause")
@click.argument("pipeline_id")
@api_command
async def pause_pipeline(api: Api, pipeline_id: str) -> None:
    """Take jobs, but start none."""
    click.echo((await api.call("POST", f"/v1/pipelines/{pipeline_id}/pause"))["status"])


@pipelines.command("resume")
@click.argument("pipeline_id")
@api_command
async def resume_pipeline(api: Api, pipeline_id: str) -> None:
    """Start jobs again."""
    click.echo((await api.call("POST", f"/v1/pipelines/{pipeline_id}/resume"))["status"])


@pipelines.command("delete")
@click.argument("pipeline_id")
@api_command
async def delete_pipeline(api: Api, pipeline_id: str) -> None:
    """Delete a pipeline that has no jobs to do."""
    await api.call("DELETE", f"/v1/pipelines/{pipeline_id}")


@click.group()
def presets() -> None:
    """Containers, codecs and sizes."""


@presets.command("list")
@output.format_option
@api_command
async def list_presets(api: Api, format_: str) -> None:
    """System presets and the tenant's own."""
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "NAME": lambda one: one["name"],
        "TYPE": lambda one: one["type"],
        "CONTAINER": lambda one: one["settings"]["container"],
        "VIDEO": lambda one: (one["settings"]["video"] or {}).get("codec", ""),
        "AUDIO": lambda one: (one["settings"]["audio"] or {}).get("codec", ""),
    }
    output.listed([preset async for preset in api.pages("/v1/presets", page_size=200)], columns, format_)


@presets.command("show")
@click.argument("preset_id")
@api_command
async def show_preset(api: Api, preset_id: str) -> None:
    """One preset, as JSON."""
    output.document(await api.call("GET", f"/v1/presets/{preset_id}"))
