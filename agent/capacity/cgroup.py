"""What the control groups above this process leave to it, in both versions of the interface."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
MEMBERSHIP: Final = Path("/proc/self/cgroup")


def cpu_quota(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Threads' worth of time, rounded up; None without a limit."""
    quotas = [quota for group in _groups("cpu", root, membership) if (quota := _cpu_quota(group)) is not None]
    return min(quotas, default=None)


def memory_limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    limits = [limit for group in _groups("memory", root, membership) if (limit := _memory_limit(group)) is not None]
    return min(limits, default=None)


def _groups(controller: str, root: Path, membership: Path) -> Iterator[Path]:
    """The group of this process and all above it: the narrowest limit counts, wherever it is."""
    for line in (_read(membership) or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts = [root, root / "unified"]
        elif controller in controllers.split(","):
            mounts = [root / controllers, root / controller]
        else:
            continue
        group = path.strip("/")
        for mount in mounts:
            yield from (mount / group, *(mount / parent for parent in Path(group).parents))


def _cpu_quota(group: Path) -> int | None:
    if (unified := _read(group / "cpu.max")) is not None:
        quota, period = unified.split()
    else:
        quota, period = _read(group / "cpu.cfs_quota_us") or "-1", _read(group / "cpu.cfs_period_us") or "100000"
    return None if quota.strip() in ("max", "-1") else max(1, math.ceil(int(quota) / int(period)))


def _memory_limit(group: Path) -> int | None:
    text = _read(group / "memory.max") or _read(group / "memory.limit_in_bytes") or "max"
    return None if text.strip() == "max" else int(text)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
