"""Shows a program's settings, and where each value comes from."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, ValidationError
from rich.table import Table

from shared.terminal import console

DEFAULT = "default"

origin_option = click.option("--origin", "with_origin", is_flag=True, help="Say where each value comes from.")
format_option = click.option(
    "-o", "--output", "format_", type=click.Choice(["table", "json"]), default="table", help="json: one document."
)


def origins(kind: type[BaseModel], sources: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """By setting, the first of these sources that has it; they come in the order in which they win."""
    return {
        name: next((origin for origin, values in sources if values.keys() & {name, field.validation_alias}), DEFAULT)
        for name, field in kind.model_fields.items()
    }


def faults(error: ValidationError | tomllib.TOMLDecodeError, file: Path) -> str:
    """A sentence for each setting that is wrong, or for a `file` that is no TOML."""
    if isinstance(error, tomllib.TOMLDecodeError):
        return f"{file} is not TOML: {error}"
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        unknown = fault["type"] == "extra_forbidden"
        said = "there is no such setting" if unknown else fault["msg"].removeprefix("Value error, ")
        lines.append(f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {said}")
    return "\n".join(lines)


def show(settings: BaseModel, found: Mapping[str, str], *, with_origin: bool, format_: str) -> None:
    """Secrets are types that show as asterisks."""
    values = settings.model_dump(mode="json")
    if format_ == "json":
        document = {name: {"value": value, "origin": found[name]} for name, value in values.items()}
        json.dump(document if with_origin else values, sys.stdout)
        sys.stdout.write("\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("SETTING", "VALUE", *(["FROM"] if with_origin else [])):
        table.add_column(column, overflow="fold")
    for name, value in values.items():
        table.add_row(name, _text(value), *([found[name]] if with_origin else []))
    console().print(table)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
