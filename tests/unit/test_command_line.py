"""The whole command line: every command is given what its options and arguments say."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from shared.command import Programs, main

GIVEN = {"ctx", "api", "url", "key_file", "ca_file"}
"""What click and `api_command` take and give."""


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@pytest.mark.parametrize("command", [pytest.param(command, id=path) for path, command in commands(main, "transcoder")])
def test_a_command_takes_just_the_options_and_arguments_that_it_declares(command: click.Command) -> None:
    assert command.callback is not None
    declared = {parameter.name for parameter in command.params if parameter.expose_value}
    parameters = inspect.signature(command.callback).parameters.values()
    taken = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
    assert declared - GIVEN == taken - GIVEN


def summaries(group: click.Group, path: str) -> Iterator[tuple[str, str]]:
    """(command, its line in its group's help), on a terminal of eighty columns."""
    context = click.Context(group)
    names = group.list_commands(context)
    for name in names:
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command.get_short_help_str(limit=74 - max(map(len, names)))
        if isinstance(command, click.Group):
            yield from summaries(command, f"{path} {name}")


def test_no_line_of_a_help_is_cut_off() -> None:
    assert [path for path, summary in summaries(main, "transcoder") if summary.endswith("...")] == []


def test_what_only_root_may_read_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def locked() -> None:
        raise PermissionError(13, "Permission denied", "/var/lib/transcoder/agent/node.json")

    monkeypatch.setattr(Programs, "get_command", lambda *_: locked)
    result = CliRunner().invoke(main, ["locked"])
    assert (result.exit_code, result.output) == (
        1,
        "Error: /var/lib/transcoder/agent/node.json: permission denied. Try again with sudo.\n",
    )


def test_so_is_a_backup_of_what_others_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def locked(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "state.db"))

    monkeypatch.setattr("controlplane.backup.back_up", locked)
    result = CliRunner().invoke(main, ["server", "backup", "--state", str(tmp_path), str(tmp_path / "backup.tar")])
    assert result.output == f"Error: {tmp_path / 'state.db'}: permission denied. Try again with sudo.\n"
