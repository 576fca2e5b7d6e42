"""Counts calls, and tells callers how they stand: `Retry-After`, and the RateLimit headers.

`RateLimit-Limit`, `-Remaining` and `-Reset` as in draft-ietf-httpapi-ratelimit-headers-06: how many calls of this kind may
come at once, how many more may now, and in how many seconds all may again.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from multidict import MutableMultiMapping

from controlplane.auth.principal import Principal
from controlplane.auth.throttling import Throttle, Verdict
from controlplane.domain.throttle import Operation, weight
from shared.errors import Throttled

THROTTLE: Final = web.AppKey("throttle", Throttle)
_VERDICT: Final = web.RequestKey("verdict", Verdict)


def count(request: web.Request, principal: Principal, operation: Operation, size: int) -> None:
    """`size` is that of its document in bytes. Raises Throttled when this caller has made too many calls of this kind."""
    pace = principal.paces[operation]
    verdict = request.app[THROTTLE].take(principal.counted_as(operation), pace, weight(size))
    request[_VERDICT] = verdict
    if verdict.wait:
        raise Throttled(f"Too many requests to {operation}.", retry_after=verdict.wait)


def tell(request: web.Request, headers: MutableMultiMapping[str]) -> None:
    """Adds to an answer how its caller stands, when the call was counted."""
    verdict = request.get(_VERDICT)
    if verdict is not None:
        headers["RateLimit-Limit"] = str(verdict.limit)
        headers["RateLimit-Remaining"] = str(verdict.remaining)
        headers["RateLimit-Reset"] = str(verdict.reset)
