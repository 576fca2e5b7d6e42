"""transcoder migrate: from a vendor's service to this one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.table import Table

from controlplane.commands import output
from controlplane.commands.client import EXIT_REFUSED, Api, api_command
from controlplane.commands.migration import saved as saving
from controlplane.commands.migration.importing import Item, Migration, Outcome
from shared.terminal import console


@click.group()
def migrate() -> None:
    """Bring over what was set up at a vendor's."""


@migrate.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--apply", "to_apply", is_flag=True, help="Make what is missing; without it, only tell what would be made."
)
@click.option(
    "--ids",
    "ids_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default="elastictranscoder-ids.json",
    show_default=True,
    help="Where new ids are kept by the old ones: what an earlier run made is found there.",
)
@output.format_option
@api_command
async def elastictranscoder(api: Api, files: tuple[Path, ...], to_apply: bool, ids_file: Path, format_: str) -> None:
    """Bring pipelines and presets over from Amazon.

    Makes what FILEs tell of: pipelines and presets of Amazon Elastic Transcoder, and the buckets that they name.

    FILEs are what `aws elastictranscoder list-pipelines`, `read-pipeline`, `list-presets` and `read-preset` print as JSON, or
    Terraform's state. Done again, it makes nothing twice.
    """
    try:
        saved = saving.read(files)
    except saving.Unreadable as error:
        raise click.ClickException(str(error)) from error
    known = _known(ids_file)
    items = await Migration(api, known, to_apply=to_apply).run(saved)
    ids = known | {item.old_id: item.id for item in items if item.old_id and item.id and item.old_id != item.id}
    if to_apply:
        _keep(ids_file, ids)
    if format_ == "json":
        output.document({"applied": to_apply, "items": [_as_json(item) for item in items], "ids": ids})
    else:
        _show(items, ids_file if to_apply else None)
    if any(item.outcome is Outcome.REFUSED for item in items):
        raise click.exceptions.Exit(EXIT_REFUSED)


def _known(ids_file: Path) -> dict[str, str]:
    if not ids_file.exists():
        return {}
    try:
        known = json.loads(ids_file.read_text())
    except ValueError as error:
        raise click.BadParameter(f"{ids_file} is not JSON: {error}", param_hint="--ids") from error
    if not (isinstance(known, dict) and all(isinstance(new_id, str) for new_id in known.values())):
        raise click.BadParameter(f"{ids_file} does not tell new ids by old ones.", param_hint="--ids")
    return known


def _keep(ids_file: Path, ids: Mapping[str, str]) -> None:
    ids_file.write_text(json.dumps(ids, indent=2) + "\n")


def _as_json(item: Item) -> Mapping[str, object]:
    told = dataclasses.asdict(item)
    return {**told, "differences": [difference._asdict() for difference in item.differences]}


def _show(items: Sequence[Item], ids_file: Path | None) -> None:
    columns: dict[str, output.Show] = {
        "KIND": lambda item: item.kind,
        "NAME": lambda item: item.name,
        "WAS": lambda item: item.old_id or "",
        "IS": lambda item: item.id or "",
        "OUTCOME": lambda item: item.outcome + (f": {item.reason}" if item.reason else ""),
    }
    output.listed(list(items), columns, "table")
    table = Table("DIFFERS", "FIELD", "SAVED", "HERE", box=None, header_style="bold", pad_edge=False)
    for item in items:
        for field, before, here in item.differences:
            table.add_row(item.name, field, _said(before), _said(here))
    if table.row_count:
        console().print("\n", table)
    for item in items:
        for warning in item.warnings:
            console().print(f"\n{item.name}: {warning}")
    if ids_file is not None:
        console().print(f"\nNew ids by old ones: {ids_file}")
    elif any(item.outcome is Outcome.TO_MAKE for item in items):
        console().print("\nNothing was made: --apply does.")


def _said(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
