"""NVIDIA's driver and libraries: of one version, and there when a card is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.capacity.nvenc import NoDriver, list_cards
from agent.doctor.finding import Finding, fact, failure, good, warning
from agent.doctor.subject import Machine, Subject

_NVIDIA: Final = "0x10de"
_DISPLAY: Final = "0x03"
LIBRARIES: Final = {"cuda": "libcuda1", "nvidia-encode": "libnvidia-encode1"}
"""What NVENC is loaded from, and Debian's package of it."""


async def check(subject: Subject) -> list[Finding]:
    machine = subject.machine
    plugged = cards_plugged_in(machine.pci)
    try:
        cards = list_cards(machine.nvml)
    except NoDriver as reason:
        if not plugged:
            return [fact(f"{reason}; this is a CPU node")]
        if "restart" in str(reason):
            return [failure(str(reason), "reboot this machine")]
        return [warning(f"a card is plugged in at {', '.join(plugged)}, but {reason}", "apt-get install nvidia-driver")]
    if not cards:
        return [
            warning("the NVIDIA driver finds no card", "check the card's seat and power, then `dmesg | grep -i nvrm`")
        ]
    found = [fact(f"card {card.index} is {card.name} at {card.pci}, driver {card.driver}") for card in cards]
    return [*found, *_libraries(machine)]


def _libraries(machine: Machine) -> list[Finding]:
    missing = [name for name in LIBRARIES if machine.find_library(name) is None]
    if not missing:
        return [good("the libraries that NVENC needs are installed")]
    packages = " ".join(LIBRARIES[name] for name in missing)
    return [failure(f"lib{', lib'.join(missing)} cannot be found", f"apt-get install {packages}")]


def cards_plugged_in(devices: Path) -> list[str]:
    """PCI addresses of NVIDIA's display controllers, whether or not a driver knows them."""
    if not devices.is_dir():
        return []
    return sorted(
        device.name
        for device in devices.iterdir()
        if _said(device / "vendor") == _NVIDIA and _said(device / "class").startswith(_DISPLAY)
    )


def _said(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
