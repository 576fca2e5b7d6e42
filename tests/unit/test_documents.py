"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent import settings as of_agents
from controlplane import settings as of_control_planes
from shared.failures import FailureCode
from tests import compatibility, compatibility_tables, field_tables, permission_tables, settings_tables
from tests.fields import answers, fields, is_shown, marks
from tests.lifecycle_diagrams import DOCUMENT, with_diagrams

FAILURES = Path(__file__).parents[2] / "docs" / "jobs" / "failures.md"


def test_the_state_diagrams_are_those_of_the_transition_tables() -> None:
    text = DOCUMENT.read_text()
    assert text.count("stateDiagram-v2") == 2
    assert with_diagrams(text) == text, "run `python -m tests.lifecycle_diagrams`"


def test_the_tables_of_settings_are_those_of_the_models() -> None:
    text = settings_tables.DOCUMENT.read_text()
    assert "`max_reference_frames`" in text
    assert settings_tables.with_tables(text) == text, "run `python -m tests.settings_tables`"


@pytest.mark.parametrize("document", permission_tables.DOCUMENTS, ids=lambda document: document.name)
def test_the_tables_of_actions_are_those_of_the_catalogue(document: Path) -> None:
    text = document.read_text()
    table = permission_tables.DOCUMENTS[document]
    assert table() in text, "run `python -m tests.permission_tables`"
    assert permission_tables.with_table(text, table) == text, "run `python -m tests.permission_tables`"


def test_every_field_of_a_job_is_described_and_shown_by_a_test() -> None:
    shown, described = marks(), {**fields(), **answers()}
    assert [path for path, text in described.items() if not text] == [], "say what it is for"
    assert [path for path in described if not is_shown(path, shown)] == [], "mark a test of it with `shows`"
    assert [path for path in shown if path not in described] == [], "a mark names what is no field"


def test_the_table_of_fields_is_that_of_the_models_and_the_marks() -> None:
    assert field_tables.DOCUMENT.read_text() == field_tables.document(), "run `python -m tests.field_tables`"


def test_every_number_of_a_failure_is_told_once() -> None:
    numbers = [
        number
        for cell in re.findall(r"^\| ([\d, –]+) \|", FAILURES.read_text(), re.MULTILINE)
        for number in (range(*_ends(cell)) if "–" in cell else map(int, cell.split(", ")))
    ]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) >= {code.value for code in FailureCode}
    assert set(numbers) >= {*range(4000, 4027), *range(4100, 4107)}


def _ends(cell: str) -> tuple[int, int]:
    first, _, last = cell.partition(" – ")
    return int(first), int(last) + 1


def test_every_field_of_elastic_transcoder_is_shown_by_a_test() -> None:
    shown, known = compatibility.marks(), compatibility.fields()
    assert [field for field in known if field not in shown] == [], (
        "send or read it in a test, and mark that with `answers`"
    )
    assert sorted(shown.keys() - known) == [], "a mark names what is no field"
    assert sorted(compatibility_tables.DIFFERENT.keys() - known) == []


def test_the_tables_of_compatibility_are_those_of_the_model_and_the_marks() -> None:
    text = compatibility_tables.DOCUMENT.read_text()
    assert compatibility_tables.with_tables(text) == text, "run `python -m tests.compatibility_tables`"


def test_fields_are_found_through_every_kind_of_nesting() -> None:
    found = fields()
    assert found.keys() >= {"inputs[].clip.start", "settings.video.watermarks[].opacity", "encryption.key_md5"}
    assert "outputs[].settings.container" not in found, "what stands at several places is named once"
    assert answers().keys() >= {"timing", "outputs[].status", "inputs[].detected"}


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
