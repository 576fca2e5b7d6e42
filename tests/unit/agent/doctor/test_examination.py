"""All checks together, and what the command makes of them."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from agent import doctor
from agent.commands import agent
from agent.doctor import CHECKS, Finding, Subject, Verdict, examine
from agent.doctor.finding import failure, good
from tests.unit.agent.doctor.subjects import a_subject


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_every_check_is_registered_and_has_its_planted_faults() -> None:
    modules = {
        module
        for found in pkgutil.iter_modules(doctor.__path__)
        if hasattr(module := importlib.import_module(f"agent.doctor.{found.name}"), "check")
    }
    assert {check for _, check in CHECKS} == {module.check for module in modules}
    for module in modules:
        name = module.__name__.rpartition(".")[2]
        text = (Path(__file__).parent / f"test_{name}.py").read_text()
        assert "Verdict.FAILURE" in text, f"no fault is planted for {name}"


async def test_a_check_that_breaks_is_a_finding_and_hides_no_other(tmp_path: Path) -> None:
    async def broken(subject: Subject) -> list[Finding]:
        raise ZeroDivisionError("of no use")

    async def fine(subject: Subject) -> list[Finding]:
        return [good("fine")]

    first, second = await examine(a_subject(tmp_path), (("broken", broken), ("fine", fine)))
    assert (first.check, first.verdict) == ("broken", Verdict.FAILURE)
    assert "ZeroDivisionError: of no use" in first.said
    assert (second.check, second.verdict) == ("fine", Verdict.GOOD)


@pytest.mark.parametrize(("finding", "code"), [(good("fine"), 0), (failure("broken", "mend it"), 1)])
def test_the_exit_code_is_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finding: Finding, code: int
) -> None:
    async def found(subject: Subject) -> list[Finding]:
        return [finding.model_copy(update={"check": "one"})]

    monkeypatch.setattr(sys.modules["agent.commands.doctor"], "examine", found)
    arguments = ["doctor", "--state", str(tmp_path), "--config", "/nonexistent"]
    told = CliRunner().invoke(agent, [*arguments, "--json"])
    assert told.exit_code == code
    assert json.loads(told.output) == {
        "is_healthy": code == 0,
        "findings": [{"check": "one", "verdict": finding.verdict, "said": finding.said, "fix": finding.fix}],
    }
    shown = CliRunner().invoke(agent, arguments)
    assert shown.exit_code == code
    assert finding.said in shown.output
    assert finding.fix in shown.output


def test_a_machine_without_a_card_that_never_joined_is_told_only_that(tmp_path: Path) -> None:
    told = CliRunner().invoke(agent, ["doctor", "--json", "--state", str(tmp_path), "--config", "/nonexistent"])
    findings = json.loads(told.output)["findings"]
    failed = [found["check"] for found in findings if found["verdict"] == "failure" and found["check"] != "scratch"]
    assert failed == ["control plane"] or failed == ["state", "control plane"]
    assert {found["check"] for found in findings} == {name for name, _ in CHECKS}
    assert {found["verdict"] for found in findings if found["check"] in ("driver", "devices", "nvenc")} == {"fact"}
