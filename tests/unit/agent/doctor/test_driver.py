"""The driver and its libraries. NVML is a stand-in: this was written where there was no card."""

from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from agent.doctor import Verdict
from agent.doctor.driver import check
from tests.unit.agent.capacity.stand_ins import StandInNvml
from tests.unit.agent.doctor.subjects import NO_DRIVER, a_machine, a_subject, only, verdicts

A_CARD = StandInNvml(names=["NVIDIA L4"])


def plug_in(tmp_path: Path, vendor: str = "0x10de", kind: str = "0x030200") -> None:
    device = tmp_path / "pci" / "0000:3b:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")


async def test_no_driver_and_no_card_is_a_plain_fact(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path)), Verdict.FACT, "no NVIDIA driver", "this is a CPU node")


@pytest.mark.parametrize(("vendor", "kind"), [("0x8086", "0x030000"), ("0x10de", "0x040300")])
async def test_other_makers_and_other_devices_are_no_card(tmp_path: Path, vendor: str, kind: str) -> None:
    plug_in(tmp_path, vendor, kind)
    only(await check(a_subject(tmp_path)), Verdict.FACT)


async def test_a_card_without_a_driver_is_warned_of(tmp_path: Path) -> None:
    plug_in(tmp_path)
    found = only(await check(a_subject(tmp_path)), Verdict.WARNING, "0000:3b:00.0", "NVML library not found")
    assert "nvidia-driver" in found.fix


async def test_a_driver_that_was_upgraded_under_a_running_kernel_fails(tmp_path: Path) -> None:
    plug_in(tmp_path)
    machine = a_machine(tmp_path, StandInNvml(init_error=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    assert only(await check(a_subject(tmp_path, machine=machine)), Verdict.FAILURE).fix == "reboot this machine"


async def test_a_driver_that_finds_no_card_is_warned_of(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path, machine=a_machine(tmp_path, StandInNvml()))), Verdict.WARNING, "finds no card")


async def test_a_card_is_told_with_its_place_and_its_driver(tmp_path: Path) -> None:
    found = await check(a_subject(tmp_path, machine=a_machine(tmp_path, A_CARD)))
    assert verdicts(found) == [Verdict.FACT, Verdict.GOOD]
    assert found[0].said == "card 0 is NVIDIA L4 at 00000000:01:00.0, driver 550.54.14"


async def test_a_library_that_is_missing_fails_with_its_package(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, A_CARD, find_library=lambda name: None if name == "nvidia-encode" else "found")
    _, missing = await check(a_subject(tmp_path, machine=machine))
    assert missing.verdict is Verdict.FAILURE
    assert missing.fix == "apt-get install libnvidia-encode1"


def test_this_machine_has_no_driver() -> None:
    """What the stand-in says is what NVML says where there is none."""
    with pytest.raises(pynvml.NVMLError) as error:
        pynvml.nvmlInit()
    assert error.value.value == NO_DRIVER.init_error
