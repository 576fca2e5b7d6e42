"""How much disk there is for workspaces: what is free now, less the reserve that is never offered."""

from __future__ import annotations

from pathlib import Path

import psutil

from agent.capacity.found import Found, Surroundings


async def probe(around: Surroundings) -> Found:
    return Found(scratch=left(around.work, around.settings.scratch_reserve))


def left(work: Path, reserve: int) -> int:
    return max(0, int(psutil.disk_usage(str(work)).free) - reserve)
