"""How much memory this node has: the machine's, or what its control groups leave of it."""

from __future__ import annotations

import psutil

from agent.capacity.cgroup import memory_limit
from agent.capacity.found import Found, Surroundings


async def probe(around: Surroundings) -> Found:
    limits = (psutil.virtual_memory().total, memory_limit(), around.settings.max_memory)
    return Found(memory=min(int(limit) for limit in limits if limit is not None))
