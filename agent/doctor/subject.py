"""The node that is examined, and the places of the machine where checks look: tests put others there."""

from __future__ import annotations

import ctypes.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pynvml

from agent.capacity import Surroundings
from agent.client import ControlPlane
from agent.identity import Identity
from agent.sandbox import Sandbox
from agent.settings import Settings
from shared.protocol import CheckAnswer


@dataclass(frozen=True)
class Heard:
    """What came of the one question to the control plane that several checks read."""

    answer: CheckAnswer | None
    problem: Exception | None = None
    clock_skew: float | None = None


UNASKED: Final = Heard(None)


@dataclass(frozen=True)
class User:
    """Who the agent runs as."""

    uid: int = field(default_factory=os.geteuid)
    groups: frozenset[int] = field(default_factory=lambda: frozenset({os.getegid(), *os.getgroups()}))


@dataclass(frozen=True)
class Machine:
    """Where the kernel and the driver show themselves."""

    dev: Path = Path("/dev")
    pci: Path = Path("/sys/bus/pci/devices")
    units: Path = Path("/etc/systemd/system")
    nvml: Any = pynvml
    find_library: Callable[[str], str | None] = ctypes.util.find_library


@dataclass(frozen=True)
class Subject:
    settings: Settings
    work: Path
    """A directory on the disk of the workspaces."""
    sandbox: Sandbox | None
    unconfined_because: str = ""
    """Why there is no sandbox."""
    identity: Identity | None = None
    client: ControlPlane | None = None
    """Open; None where the node has not joined, or its credential cannot be read."""
    heard: Heard = UNASKED
    user: User = field(default_factory=User)
    machine: Machine = field(default_factory=Machine)

    @property
    def surroundings(self) -> Surroundings | None:
        """For what is tried in the confinement of the work; None without one."""
        return None if self.sandbox is None else Surroundings(self.settings, self.sandbox, self.work)
