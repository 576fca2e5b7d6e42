"""`transcoder manual`: a page for man for every command, made from what the commands say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def manual(ctx: click.Context, directory: Path) -> None:
    """Write the manual's pages into DIRECTORY.

    For instance /usr/local/share/man/man1, where `./run install` puts them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages(ctx.find_root().command, "transcoder"):
        (directory / f"{name}.1").write_text(text)


def pages(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """(name, content) of a command's page and those of all commands below it."""
    ctx = click.Context(command, info_name=path.rsplit(" ", 1)[-1], parent=parent)
    below = _below(command, ctx)
    yield path.replace(" ", "-"), _page(command, ctx, path, below)
    for name, one in below:
        yield from pages(one, f"{path} {name}", ctx)


def _below(command: click.Command, ctx: click.Context) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return []
    found = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
    return [(name, one) for name, one in found if one is not None and not one.hidden]


def _page(command: click.Command, ctx: click.Context, path: str, below: list[tuple[str, click.Command]]) -> str:
    title, release = path.replace(" ", "-"), version("edge-transcoder")
    lines = [
        f'.TH "{_text(title.upper())}" "1" "" "edge\\-transcoder {_text(release)}" "Edge Transcoder"',
        ".SH NAME",
        f"{_text(title)} \\- {_text(command.get_short_help_str(200))}",
        ".SH SYNOPSIS",
        f".B {_text(path)}",
        _text(" ".join(command.collect_usage_pieces(ctx))),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
    ]
    options = [record for option in command.get_params(ctx) if (record := option.get_help_record(ctx)) is not None]
    if options:
        lines += [".SH OPTIONS", *_terms(options)]
    if below:
        lines += [".SH COMMANDS", *_terms([(name, one.get_short_help_str(200)) for name, one in below])]
    others = [path.rsplit(" ", 1)[0]] if " " in path else []
    others += [f"{path} {name}" for name, _ in below]
    if others:
        lines += [".SH SEE ALSO", ",\n".join(f"\\fB{_text(other.replace(' ', '-'))}\\fP(1)" for other in others)]
    return "\n".join(lines) + "\n"


def _terms(rows: list[tuple[str, str]]) -> list[str]:
    return [line for term, text in rows for line in (".TP", f"\\fB{_text(term)}\\fP", _text(text) or "\\&")]


def _paragraphs(text: str) -> list[str]:
    parts = re.split(r"\n\s*\n", text.strip())
    return [line for part in parts if part for line in (".PP", _text(" ".join(part.replace("\b", "").split())))]


def _text(text: str) -> str:
    """So that roff takes no part of it for its own."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
