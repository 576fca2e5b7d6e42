"""What the documents name is there: files, links to each other, commands and their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from shared.command import main

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks" / "README.md",
    *ROOT.glob("docs/**/*.md"),
]
_OUR_FOLDERS: Final = "agent|benchmarks|controlplane|docs|shared|systemd|tests"


def _names(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_names)
def test_files_that_are_named_are_there(document: Path) -> None:
    named = re.findall(rf"`((?:{_OUR_FOLDERS})/[\w./-]+)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_names)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    assert [link for link in links if not link.startswith("https://") and not _leads(document, link)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_names)
def test_commands_are_those_that_there_are(document: Path) -> None:
    lines = re.findall(r"^\$ (?:sudo )?(transcoder .*)$", document.read_text(), re.MULTILINE)
    assert [fault for line in lines for fault in _faults(line)] == []


def test_what_is_not_there_is_found_out() -> None:
    assert not _leads(ROOT / "README.md", "docs/using.md#flying")
    assert not _leads(ROOT / "README.md", "docs/flying.md")
    assert list(_faults("transcoder jobs fly")) == ["transcoder jobs fly: fly"]
    assert list(_faults("transcoder jobs list --fly")) == ["transcoder jobs list --fly: --fly"]


def _leads(document: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = document.parent / path if path else document
    if not heading or not target.is_file():
        return target.exists()
    return heading in {_anchor(line) for line in re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _faults(line: str) -> Iterator[str]:
    """Words that name no command, and options that it does not have."""
    command: click.Command = main
    _, *words = shlex.split(line.partition(" | ")[0], comments=True)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            yield f"{line}: {words[0]}"
            return
        command = found
        del words[0]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--") and word not in {*options, "--help", "--version"}:
            yield f"{line}: {word}"
