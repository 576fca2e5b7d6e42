"""The systemd units, judged offline by systemd itself: understood whole, and no more exposed than was recorded."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from agent.installation import GPU_DROP_INS, write_units
from controlplane import installation as controlplane
from tests.needs import needs

SYSTEMD: Final = Path(__file__).parents[2] / "systemd"
PREFIX: Final = "/opt/edge-transcoder"

AGENT: Final = "transcoder-agent.service"
ENCODE: Final = "transcoder-encode@.service"

EXPOSURE: Final = {
    (controlplane.SERVICE, False): 1.2,
    (AGENT, False): 1.2,
    (AGENT, True): 1.4,
    (ENCODE, False): 0.3,
    (ENCODE, True): 0.5,
}
"""By unit, and whether the machine has a card: what systemd 252 says. Programs with a network stay at 1.5 or below."""

pytestmark = needs(shutil.which("systemd-analyze") is not None, "systemd is not installed")


@pytest.fixture(params=[False, True], ids=["without a card", "with a card"])
def has_gpu(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def units(tmp_path: Path, has_gpu: bool) -> Path:
    """As they are installed, of programs that are there."""
    units, prefix = tmp_path / "units", tmp_path / "prefix"
    write_units(SYSTEMD, units, has_gpu=has_gpu)
    shutil.copy(SYSTEMD / controlplane.SERVICE, units)
    (prefix / "bin").mkdir(parents=True)
    for name in ("transcoder", "python"):
        (prefix / "bin" / name).symlink_to("/bin/true")
    for unit in units.glob("*.s*"):
        if unit.is_file():
            unit.write_text(unit.read_text().replace(PREFIX, str(prefix)))
    return units


def analyze(units: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "unit", [controlplane.SERVICE, AGENT, "transcoder-encode@00.service", "transcoder-encode@00.socket"]
)
def test_systemd_understands_every_line(units: Path, unit: str) -> None:
    verified = analyze(units, "verify", unit)
    about_ours = [line for line in verified.stdout.splitlines() if "transcoder-" in line]
    assert (verified.returncode, about_ours) == (0, [])


def test_a_line_that_systemd_does_not_know_is_noticed(units: Path) -> None:
    unit = units / AGENT
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHome=maybe"))
    assert "maybe" in analyze(units, "verify", AGENT).stdout


@pytest.mark.parametrize("unit", [controlplane.SERVICE, AGENT, ENCODE])
def test_no_unit_is_more_exposed_than_was_recorded(units: Path, unit: str, has_gpu: bool) -> None:
    told = analyze(units, "security", "--offline=true", "--no-pager", str(units / unit)).stdout.splitlines()[-1]
    assert float(told.split(": ")[1].split()[0]) <= EXPOSURE.get((unit, has_gpu), EXPOSURE[unit, False])


def test_programs_with_a_network_stay_below_the_mark() -> None:
    assert all(figure <= (0.5 if unit == ENCODE else 1.5) for (unit, _), figure in EXPOSURE.items())


def test_the_drop_ins_for_a_card_are_there_just_where_one_is(units: Path, has_gpu: bool) -> None:
    assert {(units / target).exists() for target in GPU_DROP_INS.values()} == {has_gpu}


@pytest.mark.parametrize("has_gpu", [True], indirect=True)
def test_with_a_card_the_devices_are_nvidias_and_no_others(units: Path) -> None:
    for target in GPU_DROP_INS.values():
        lines = (units / target).read_text().splitlines()
        assert [line for line in lines if line.startswith("DeviceAllow")] == ["DeviceAllow=char-nvidia* rw"]
    for unit in (AGENT, ENCODE):
        assert "DevicePolicy=closed" in (units / unit).read_text()
