"""What a process started, and what that started: found in /proc."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    session: int
    cpu_ticks: int
    """Its own, and those of children that it has waited for."""


def family(root: int) -> list[Process]:
    """A process, its descendants, and what else lives in its session."""
    processes = list(_processes())
    found = {root}
    while more := {one.pid for one in processes if one.parent in found or one.session == root} - found:
        found |= more
    return [one for one in processes if one.pid in found]


def _processes() -> Iterator[Process]:
    """Everything that runs; a name may hold spaces and brackets."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "stat").read_text().rpartition(")")[2].split()
                yield Process(int(entry.name), int(words[1]), int(words[3]), sum(map(int, words[11:15])))
