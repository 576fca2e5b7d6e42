"""How much disk there is for workspaces: what is free now, less the reserve that is never offered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from agent.capacity.found import Found, Surroundings

USUAL_RESERVE: Final = 5 << 30
SMALL_DISK: Final = 10
"""On a disk of less than so many times the usual reserve, the reserve is that part of the disk."""


@dataclass(frozen=True)
class Space:
    """Of the disk of the workspaces, in bytes."""

    free: int
    reserve: int

    @property
    def left(self) -> int:
        return max(0, self.free - self.reserve)


async def probe(around: Surroundings) -> Found:
    return Found(scratch=space(around.work, around.settings.scratch_reserve).left)


def space(work: Path, reserve: int | None) -> Space:
    """`reserve` None is the usual one."""
    usage = psutil.disk_usage(str(work))
    return Space(free=usage.free, reserve=usual_reserve(usage.total) if reserve is None else reserve)


def usual_reserve(total: int) -> int:
    return min(USUAL_RESERVE, total // SMALL_DISK)
