"""What tasks ask of a node, as it is kept."""

from __future__ import annotations

from functools import lru_cache

import orjson

from controlplane.domain.placement import Need
from shared.capacity import Demand
from shared.jobspec import HardwarePreference


def need_to_json(need: Need) -> str:
    """Equal needs make equal texts: they name the lane. A list, since the text is part of keys."""
    demand = need.demand
    return orjson.dumps(
        [
            need.cluster_id,
            dict(need.labels),
            need.hardware,
            demand.cpu_threads,
            demand.memory,
            demand.scratch,
            demand.nvenc_sessions,
            demand.feed_threads,
            demand.pixel_rate,
        ],
        option=orjson.OPT_SORT_KEYS,
    ).decode()


@lru_cache(4096)
def need_from_json(text: str) -> Need:
    cluster_id, labels, hardware, threads, memory, scratch, sessions, feed_threads, pixel_rate = orjson.loads(text)
    demand = Demand(
        cpu_threads=threads,
        memory=memory,
        scratch=scratch,
        nvenc_sessions=sessions,
        feed_threads=feed_threads,
        pixel_rate=pixel_rate,
    )
    return Need(cluster_id, labels, HardwarePreference(hardware), demand)
