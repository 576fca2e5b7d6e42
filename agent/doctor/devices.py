"""The cards' device nodes: there, open to the agent's user, and let through by the units."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final

from agent.doctor.finding import Finding, fact, failure, good
from agent.doctor.subject import Subject, User
from agent.installation import GPU_DROP_INS, SERVICE

CONTROL: Final = "nvidiactl"
NEEDED: Final = (CONTROL, "nvidia-uvm")
"""Beside one for each card: what CUDA opens."""


async def check(subject: Subject) -> list[Finding]:
    dev = subject.machine.dev
    cards = sorted(node.name for node in dev.glob("nvidia[0-9]*"))
    if not cards and not (dev / CONTROL).exists():
        return [fact("there are no NVIDIA device nodes")]
    wrong = [*_missing(subject, cards), *_closed(subject, cards), *_hidden_by_units(subject)]
    return wrong or [good(f"{', '.join(cards)}, {', '.join(NEEDED)} are open to the agent's user")]


def _missing(subject: Subject, cards: list[str]) -> Iterator[Finding]:
    absent = [name for name in NEEDED if not (subject.machine.dev / name).exists()]
    if not cards:
        absent.append("nvidia0")
    if absent:
        nodes = ", ".join(f"/dev/{name}" for name in absent)
        yield failure(f"{nodes} is missing", "nvidia-modprobe -c 0 -u, at every boot: enable nvidia-persistenced")


def _closed(subject: Subject, cards: list[str]) -> Iterator[Finding]:
    for name in (*cards, *NEEDED):
        node = subject.machine.dev / name
        if node.exists() and not can_open(os.stat(node), subject.user):
            yield failure(
                f"/dev/{name} is closed to the agent's user", f"chmod 0666 /dev/{name}, and NVreg_DeviceFileMode=0666"
            )


def _hidden_by_units(subject: Subject) -> Iterator[Finding]:
    units = subject.machine.units
    if not (units / SERVICE).exists():
        return
    for target in GPU_DROP_INS.values():
        if not (units / target).exists():
            yield failure(f"the service was installed before the card: {target} is missing", "transcoder agent install")


def can_open(status: os.stat_result, user: User) -> bool:
    """For reading and writing, by the node's mode alone."""
    if user.uid == 0:
        return True
    if status.st_uid == user.uid:
        wanted = stat.S_IRUSR | stat.S_IWUSR
    elif status.st_gid in user.groups:
        wanted = stat.S_IRGRP | stat.S_IWGRP
    else:
        wanted = stat.S_IROTH | stat.S_IWOTH
    return status.st_mode & wanted == wanted
