"""What people are shown is what there is: names that tenants choose are neither markup nor emoji."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.commands import output, watching
from shared.terminal import console, progress_console

NAMES = ["film [hd].mp4", "[/red].mp4", "[link=https://elsewhere.example]here[/link]", "at :smile: 12:30.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_table_shows_names_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.listed([{"key": name}], {"KEY": lambda one: one["key"]}, "table")
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_pairs_show_names_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.pairs([("Input", name)])
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shown_on", [console, progress_console])
def test_what_came_of_a_job_is_told_under_the_keys_of_its_outputs(
    name: str, shown_on: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {"key": name, "status": "Complete", "status_detail": None, "width": 640, "height": 360, "duration": 1.0}
    watching.result(shown_on(), {"outputs": [made], "playlists": []})
    assert f"  Complete  {name}  640x360 1.00 s\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\x9b2Jb", "a\u202eb", "a\u2066b", "a\x08b"])
def test_names_move_no_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.listed([{"key": name}], {"KEY": lambda one: one["key"]}, "table")
    output.pairs([("Input", name)])
    failed = {"key": name, "status": "Error", "status_detail": {"code": 1, "message": name}}
    watching.result(console(), {"outputs": [failed], "playlists": []})
    assert set(capsys.readouterr().out) <= set("KEY Inputab2J:1rEo\n")
