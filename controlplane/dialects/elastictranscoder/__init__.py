"""Amazon Elastic Transcoder, version 2012-09-25, as its clients know it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from controlplane.dialects.elastictranscoder import pipelines, presets
from controlplane.dialects.elastictranscoder.errors import PATHS, PREFIX, refusal
from controlplane.dialects.elastictranscoder.jobs import serving as jobs
from controlplane.dialects.elastictranscoder.wire import Operation, handler

OPERATIONS: Final[tuple[Operation, ...]] = (
    *pipelines.operations.all,
    *presets.operations.all,
    *jobs.operations.all,
)

__all__ = ["OPERATIONS", "PATHS", "PREFIX", "refusal", "routes"]


def routes() -> list[web.RouteDef]:
    """By their methods and no other: aiohttp would answer HEAD beside GET."""
    alone = {"GET": {"allow_head": False}}
    return [web.route(one.method, one.path, handler(one), **alone.get(one.method, {})) for one in OPERATIONS]
