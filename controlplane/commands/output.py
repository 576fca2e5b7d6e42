"""How the command line shows things: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from rich.table import Table

from shared.redaction import tame
from shared.terminal import console

Show = Callable[[Any], str]

format_option = click.option(
    "-o", "--output", "format_", type=click.Choice(["table", "json"]), default="table", help="json: one document."
)

always_json = click.option(
    "-o", "--output", expose_value=False, type=click.Choice(["json"]), help="json, which is what it prints anyway."
)
"""For what is shown as JSON alone: programs may ask for that everywhere in the same way."""


def listed(items: list[Any], columns: Mapping[str, Show], format_: str) -> None:
    if format_ == "json":
        document(items)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=not table.columns)
    for item in items:
        table.add_row(*(tame(show(item)) for show in columns.values()))
    console().print(table)


def made(thing: Mapping[str, Any], format_: str, *, shown: str = "id") -> None:
    """For people, the one field that they go on with."""
    if format_ == "json":
        document(thing)
    else:
        click.echo(thing[shown])


def document(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write("\n")


def pairs(rows: Iterable[tuple[str, Any]]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value not in (None, "", []):
            table.add_row(name, tame(str(value)))
    console().print(table)
