"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent import settings as of_agents
from controlplane import settings as of_control_planes
from tests import permission_tables, settings_tables
from tests.lifecycle_diagrams import DOCUMENT, with_diagrams


def test_the_state_diagrams_are_those_of_the_transition_tables() -> None:
    text = DOCUMENT.read_text()
    assert text.count("stateDiagram-v2") == 2
    assert with_diagrams(text) == text, "run `python -m tests.lifecycle_diagrams`"


def test_the_tables_of_settings_are_those_of_the_models() -> None:
    text = settings_tables.DOCUMENT.read_text()
    assert "`max_reference_frames`" in text
    assert settings_tables.with_tables(text) == text, "run `python -m tests.settings_tables`"


def test_the_table_of_actions_is_that_of_the_catalogue() -> None:
    text = permission_tables.DOCUMENT.read_text()
    assert "`jobs:` " in text
    assert permission_tables.with_table(text) == text, "run `python -m tests.permission_tables`"


@pytest.mark.parametrize(
    ("name", "settings", "by_systemd"),
    [
        ("operating.md", of_control_planes.Settings, set[str]()),
        ("nodes.md", of_agents.Settings, {"credentials_directory"}),
    ],
)
def test_every_setting_is_in_its_table(name: str, settings: type[BaseModel], by_systemd: set[str]) -> None:
    rows = re.findall(r"^\| (`.*?) \|", (Path(__file__).parents[2] / "docs" / name).read_text(), re.MULTILINE)
    told = {setting for row in rows for setting in re.findall(r"`([a-z_]+)`", row)}
    assert settings.model_fields.keys() - told == by_systemd
