"""Manual pages and completion: of every command, made from the commands themselves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from shared.command import main
from shared.manual import pages

MACROS = {".TH", ".SH", ".B", ".PP", ".TP"}


def every(command: click.Command, path: str = "transcoder") -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from every(below, f"{path} {name}")


def test_every_command_has_a_page_and_says_what_it_is_for(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["manual", str(tmp_path)])
    assert told.exit_code == 0, told.output
    written = {file.stem for file in tmp_path.iterdir()}
    assert written == {path.replace(" ", "-") for path in every(main)}
    for file in tmp_path.iterdir():
        name = file.read_text().split(".SH NAME\n")[1].splitlines()[0]
        assert re.search(r" \\- \S", name), f"{file.name} has no sentence"


def test_a_page_is_nothing_but_the_macros_of_manuals_and_text() -> None:
    for name, text in pages(main, "transcoder"):
        for line in text.splitlines():
            if line.startswith((".", "'")):
                assert line.split()[0] in MACROS, (name, line)
            assert not re.search(r"\\[^efP&\-]", line), (name, line)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str) -> None:
    told = CliRunner().invoke(main, ["completion", shell])
    assert told.exit_code == 0, told.output
    assert "_TRANSCODER_COMPLETE" in told.output


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(CliRunner().invoke(main, ["completion", "bash"]).output)
    asked = f"""
        source {script}
        COMP_WORDS=(transcoder server ba) COMP_CWORD=2
        _transcoder_completion transcoder
        echo "${{COMPREPLY[@]}}"
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {**os.environ, "PATH": path}
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, env=given)
    assert done.stdout.split() == ["backup"]
