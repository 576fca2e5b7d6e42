"""Where settings come from, as both programs show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.command import main


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One setting in every place, and two places for one."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "transcoder_database").write_text("postgresql://user:hunter2@host/name")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("TRANSCODER_LEASE", "80")
    monkeypatch.setenv("TRANSCODER_AGENT_MAX_CPU_THREADS", "3")
    file = tmp_path / "controlplane.toml"
    file.write_text("port = 1\nlease = 70\n")
    return file


def test_the_control_planes_settings_say_where_they_come_from_and_keep_secrets(config: Path, tmp_path: Path) -> None:
    arguments = [
        "server",
        "config",
        "show",
        "--origin",
        "-o",
        "json",
        "--config",
        str(config),
        "--state",
        str(tmp_path),
    ]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 0, told.output
    shown = json.loads(told.output)
    assert shown["port"] == {"value": 1, "origin": str(config)}
    assert shown["lease"] == {"value": 80.0, "origin": "environment"}
    assert shown["state"] == {"value": str(tmp_path), "origin": "argument"}
    assert shown["host"] == {"value": "127.0.0.1", "origin": "default"}
    assert shown["database"] == {"value": "**********", "origin": "credential"}
    assert "hunter2" not in told.output


def test_the_agents_settings_say_where_they_come_from(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("insecure_unconfined = true\n")
    told = CliRunner().invoke(main, ["agent", "config", "show", "--origin", "-o", "json", "--config", str(file)])
    assert told.exit_code == 0, told.output
    shown = json.loads(told.output)
    assert shown["insecure_unconfined"] == {"value": True, "origin": str(file)}
    assert shown["max_cpu_threads"] == {"value": 3, "origin": "environment"}
    assert shown["credentials_directory"]["origin"] == "environment"
    assert shown["labels"] == {"value": {}, "origin": "default"}


def test_people_get_a_table(config: Path) -> None:
    told = CliRunner().invoke(main, ["server", "config", "show", "--config", str(config)])
    assert told.exit_code == 0, told.output
    assert "FROM" not in told.output
    assert "lease" in told.output
    assert "hunter2" not in told.output
