"""transcoder buckets, pipelines, presets: what a tenant sets up before its first job"""

from __future__ import annotations

from typing import IO, Final
from urllib.parse import quote

import click

from controlplane.commands import documents, output
from controlplane.commands.client import Api, api_command
from controlplane.domain.notifications import Notifications

_EVENTS: Final = tuple(Notifications.model_fields)


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


@buckets.command("objects")
@click.argument("name")
@click.option("--prefix", help="Only those whose keys begin with this.")
@output.format_option
@api_command
async def list_objects(api: Api, name: str, prefix: str | None, format_: str) -> None:
    """What a bucket holds."""
    columns: dict[str, output.Show] = {
        "KEY": lambda one: one["key"],
        "SIZE": lambda one: str(one["size"]),
        "MODIFIED": lambda one: one["modified_at"],
    }
    output.listed([one async for one in api.pages(f"/v1/buckets/{name}/objects", prefix=prefix)], columns, format_)


@buckets.command("delete-object")
@click.argument("name")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@api_command
async def delete_objects(api: Api, name: str, keys: tuple[str, ...]) -> None:
    """Delete objects of a bucket, for good."""
    for key in keys:
        await api.call("DELETE", f"/v1/buckets/{name}/objects/{quote(key)}")


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
@output.always_json
@api_command
async def show_pipeline(api: Api, pipeline_id: str) -> None:
    """One pipeline, as JSON."""
    output.document(await api.call("GET", f"/v1/pipelines/{pipeline_id}"))


@pipelines.command("set")
@click.argument("pipeline_id")
@click.option("--name", help="A new name for people.")
@click.option("--input-bucket", help="The bucket that later jobs read.")
@click.option("--output-bucket", help="The bucket that outputs of later jobs go into.")
@click.option("--thumbnail-bucket", help="The bucket that thumbnails of later jobs go into.")
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="EVENT=ARN",
    help="Which topic is told of progressing, warning, completed or error; `EVENT=` names none. Repeatable.",
)
@output.always_json
@api_command
async def set_pipeline(
    api: Api,
    pipeline_id: str,
    name: str | None,
    input_bucket: str | None,
    output_bucket: str | None,
    thumbnail_bucket: str | None,
    topics: tuple[str, ...],
) -> None:
    """Change a pipeline; what is not named stays. Jobs that were submitted before keep their buckets."""
    path, told = f"/v1/pipelines/{pipeline_id}", dict(map(_topic, topics))
    changes = {
        "name": name,
        "input_bucket": input_bucket,
        "output_bucket": output_bucket,
        "thumbnail_bucket": thumbnail_bucket,
        "notifications": (await api.call("GET", path))["notifications"] | told if told else None,
    }
    output.document(await api.call("PATCH", path, {key: value for key, value in changes.items() if value is not None}))


def _topic(text: str) -> tuple[str, str | None]:
    event, equals, arn = text.partition("=")
    if not equals or event not in _EVENTS:
        raise click.BadParameter(f"{text!r} is not EVENT=ARN with one of {', '.join(_EVENTS)}.", param_hint="--topic")
    return event, arn or None


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
@output.always_json
@api_command
async def show_preset(api: Api, preset_id: str) -> None:
    """One preset, as JSON."""
    output.document(await api.call("GET", f"/v1/presets/{preset_id}"))


@presets.command("create")
@click.argument("file", type=click.File())
@output.format_option
@api_command
async def create_preset(api: Api, file: IO[str], format_: str) -> None:
    """Make a preset of the JSON document in FILE.

    It has a `name`, `settings` as outputs have them and, if you like, a `description`; - reads standard input.
    """
    output.made(await api.call("POST", "/v1/presets", documents.read(file, "FILE")), format_)


@presets.command("delete")
@click.argument("preset_id")
@api_command
async def delete_preset(api: Api, preset_id: str) -> None:
    """Delete a preset of your own; jobs keep what they took from it."""
    await api.call("DELETE", f"/v1/presets/{preset_id}")
