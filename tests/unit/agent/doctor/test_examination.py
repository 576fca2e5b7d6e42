"""All checks together, and what the command makes of them."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from agent import doctor
from agent.commands import agent
from agent.doctor import CHECKS, Finding, Subject, Verdict, examine
from agent.doctor.finding import failure, good
from agent.state import State
from tests.needs import needs
from tests.unit.agent.doctor.subjects import a_subject

ROOT: Final = Path(__file__).parents[4]
NOBODY: Final = 65534


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


@pytest.mark.parametrize(
    ("finding", "code"), [(good("fine"), 0), (failure("no [hw] in /dev[/nvidia0]", "mend [it]"), 1)]
)
def test_the_exit_code_is_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finding: Finding, code: int
) -> None:
    async def found(subject: Subject) -> list[Finding]:
        return [finding.model_copy(update={"check": "one"})]

    monkeypatch.setattr(sys.modules["agent.commands.doctor"], "examine", found)
    arguments = ["doctor", "--state", str(tmp_path), "--config", "/nonexistent"]
    told = CliRunner().invoke(agent, [*arguments, "-o", "json"])
    assert told.exit_code == code
    assert json.loads(told.output) == {
        "is_healthy": code == 0,
        "findings": [{"check": "one", "verdict": finding.verdict, "said": finding.said, "fix": finding.fix}],
    }
    shown = CliRunner().invoke(agent, arguments)
    assert shown.exit_code == code
    assert finding.said in shown.output
    assert finding.fix in shown.output


@needs(os.geteuid() == 0, "only root can become the service's user")
def test_root_looks_with_the_eyes_of_the_services_user_and_leaves_nothing_of_its_own() -> None:
    """In a process of its own: there is no way back from another user."""
    with tempfile.TemporaryDirectory() as outside:  # pytest's directories are closed to others
        Path(outside).chmod(0o755)
        state = State(Path(outside, "state"))
        for directory in (state.root, *state.directories):
            directory.mkdir(mode=0o700)
            os.chown(directory, NOBODY, NOBODY)
        os.chown(state.outbox, 0, 0)
        command = [
            sys.executable,
            "-m",
            "agent",
            "doctor",
            "-o",
            "json",
            "--state",
            str(state.root),
            "--config",
            "/nonexistent",
        ]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        (found,) = [one for one in json.loads(told.stdout)["findings"] if one["check"] == "state"]
        assert found["said"] == f"{state.outbox} belongs to another user than the agent's"
        assert found["fix"].endswith(str(state.outbox))
        subprocess.run(found["fix"].split(), check=True)
        assert {path.stat().st_uid for path in (state.root, *state.root.rglob("*"))} == {NOBODY}


def test_a_machine_without_a_card_that_never_joined_is_told_only_that(tmp_path: Path) -> None:
    told = CliRunner().invoke(agent, ["doctor", "-o", "json", "--state", str(tmp_path), "--config", "/nonexistent"])
    findings = json.loads(told.output)["findings"]
    failed = [found["check"] for found in findings if found["verdict"] == "failure" and found["check"] != "scratch"]
    assert failed == ["control plane"] or failed == ["state", "control plane"]
    assert {found["check"] for found in findings} == {name for name, _ in CHECKS}
    assert {found["verdict"] for found in findings if found["check"] in ("driver", "devices", "nvenc")} == {"fact"}
