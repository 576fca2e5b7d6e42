"""Whose workspace is to go when the reserve of the disk is touched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.capacity import Space

OwnerT = TypeVar("OwnerT")


@dataclass(frozen=True)
class Use:
    """Bytes in a workspace, and the estimate under which it was admitted."""

    used: int
    granted: int

    @property
    def beyond(self) -> int:
        return self.used - self.granted


def offender(uses: Iterable[tuple[OwnerT, Use]], space: Space) -> OwnerT | None:
    """Who goes furthest beyond its estimate. Where nobody does, others fill the disk: nobody, until half the reserve is gone."""
    if space.free >= space.reserve:
        return None
    worst = max(uses, key=lambda pair: (pair[1].beyond, pair[1].used), default=None)
    if worst is None or (worst[1].beyond <= 0 and space.free >= space.reserve / 2):
        return None
    return worst[0]


def used(root: Path) -> int:
    """Bytes on disk below a directory, as far as they can be seen: files come and go meanwhile."""
    total = 0
    for directory, _, names in os.walk(root):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
            except OSError:
                continue
    return total
