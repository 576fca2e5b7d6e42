"""What wins over what, and what is refused."""

import datetime as dt
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.settings import load


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "agent.toml"
    file.write_text('max_cpu_threads = 7\nscratch_reserve = "2GiB"\nlabels = {gpu = "l4"}\ndrain_grace = 30\n')
    return file


def test_the_file_gives_what_nobody_else_does(config: Path) -> None:
    settings = load(config)
    assert settings.max_cpu_threads == 7
    assert settings.scratch_reserve == 2 << 30
    assert settings.labels == {"gpu": "l4"}
    assert settings.drain_grace == dt.timedelta(seconds=30)


def test_arguments_win_over_the_environment_and_that_over_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCODER_AGENT_MAX_CPU_THREADS", "3")
    monkeypatch.setenv("TRANSCODER_AGENT_DRAIN_GRACE", "45")
    assert load(config).max_cpu_threads == 3
    assert load(config, max_cpu_threads=2).max_cpu_threads == 2
    assert load(config).drain_grace == dt.timedelta(seconds=45)


def test_an_argument_that_was_not_given_wins_over_nothing(config: Path) -> None:
    assert load(config, max_cpu_threads=None).max_cpu_threads == 7


def test_a_typo_in_the_file_is_refused(config: Path) -> None:
    config.write_text("max_cpu_thread = 7\n")
    with pytest.raises(ValidationError, match="max_cpu_thread"):
        load(config)


def test_a_machine_without_the_file_has_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "absent.toml").drain_grace == dt.timedelta(seconds=90)


def test_labels_are_those_that_jobs_can_name(config: Path) -> None:
    config.write_text('labels = {"GPU kind" = "l4"}\n')
    with pytest.raises(ValidationError):
        load(config)
