"""How many threads this node may really use: those it may run on, and the time that it gets on them."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Final

import psutil

from agent.capacity.cgroup import cpu_quota
from agent.capacity.found import Found, Surroundings

_CPUINFO: Final = Path("/proc/cpuinfo")


async def probe(around: Surroundings) -> Found:
    allowed = len(psutil.Process().cpu_affinity())
    return Found(cpu_threads=threads(allowed, cpu_quota(), around.settings.max_cpu_threads), cpu_model=_model())


def threads(allowed: int, quota: int | None, offered: int | None) -> int:
    return max(1, min(count for count in (allowed, quota, offered) if count is not None))


def _model() -> str:
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
