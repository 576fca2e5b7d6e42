"""Nodes to examine: this machine, with whatever a test puts in its place. Only the card and its driver are stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pynvml

from agent.doctor import Finding, Subject, Verdict
from agent.doctor.subject import Machine
from agent.sandbox import Sandbox
from agent.sandbox.none import Unconfined
from agent.settings import load
from tests.unit.agent.capacity.stand_ins import StandInNvml

NO_DRIVER = StandInNvml(init_error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


def a_machine(tmp_path: Path, nvml: StandInNvml = NO_DRIVER, **changes: Any) -> Machine:
    """Without devices and units of its own; every library is found."""
    empty = {"dev": tmp_path / "dev", "pci": tmp_path / "pci", "units": tmp_path / "units"}
    for directory in empty.values():
        directory.mkdir(exist_ok=True)
    return Machine(**({**empty, "nvml": nvml, "find_library": lambda name: f"lib{name}.so.1"} | changes))


def a_subject(
    tmp_path: Path, *, sandbox: Sandbox | None = None, machine: Machine | None = None, **changes: Any
) -> Subject:
    """With a state and a directory for work in `tmp_path`, unconfined: what is not about confinement runs faster so."""
    work = tmp_path / "state" / "work"
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    (tmp_path / "state").chmod(0o700)
    settings = load(None, state=tmp_path / "state", **changes.pop("settings", {}))
    return Subject(
        settings=settings,
        work=work,
        sandbox=sandbox or Unconfined(),
        machine=machine or a_machine(tmp_path),
        **changes,
    )


def verdicts(found: Sequence[Finding]) -> list[Verdict]:
    return [finding.verdict for finding in found]


def only(found: Sequence[Finding], verdict: Verdict, *said: str) -> Finding:
    """The one finding, which has this verdict and says all of this; whatever is wrong has a way to mend it."""
    (finding,) = found
    assert finding.verdict is verdict, finding
    for words in said:
        assert words in finding.said, finding
    assert bool(finding.fix) is (verdict in (Verdict.WARNING, Verdict.FAILURE))
    assert "\n" not in finding.fix
    return finding
