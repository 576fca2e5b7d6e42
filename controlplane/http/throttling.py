"""Counts calls, and tells callers how they stand: `Retry-After`, and the RateLimit headers.

`RateLimit-Limit`, `-Remaining` and `-Reset` as in draft-ietf-httpapi-ratelimit-headers-06: how many calls of this kind may
come at once, how many more may now, and in how many seconds all may again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Final, NamedTuple, TypeVar

from aiohttp import web
from multidict import MutableMultiMapping

from controlplane.auth.principal import Principal
from controlplane.auth.throttling import Throttle, Verdict
from controlplane.domain.throttle import Operation, Pace, more_calls, weight
from controlplane.http.keys import CLOCK
from controlplane.http.metering import Metered
from controlplane.http.shares import Shares
from shared.errors import Throttled, TranscoderError

T = TypeVar("T")
THROTTLE: Final = web.AppKey("throttle", Throttle)
SHARES: Final = web.AppKey("shares", Shares)


class _Count(NamedTuple):
    """Whose calls, and how often they may come."""

    caller: Hashable
    pace: Pace


_COUNTS: Final = web.RequestKey("counts", tuple[_Count, ...])
"""In which a call was counted; the last is the caller's own."""
_VERDICT: Final = web.RequestKey("verdict", Verdict)


def count(request: web.Request, principal: Principal, operation: Operation, size: int) -> None:
    """`size` is that of its document in bytes.

    Raises Throttled when this caller has made too many calls of this kind, or all users of its tenant have of any.
    """
    own = _Count(principal.counted_as(operation), principal.paces[operation])
    tenants = () if principal.tenant_id is None else (_Count(principal.tenant_id, principal.pace_of_tenant),)
    throttle, calls = request.app[THROTTLE], weight(size)
    for each in tenants:
        request[_VERDICT] = verdict = throttle.look(*each)
        if verdict.wait:
            raise Throttled("Too many requests of all users of this account together.", retry_after=verdict.wait)
    request[_VERDICT] = verdict = throttle.take(*own, calls)
    if verdict.wait:
        raise Throttled(f"Too many requests to {operation}.", retry_after=verdict.wait)
    for each in tenants:
        throttle.charge(each.caller, each.pace, calls)
    request[_COUNTS] = (*tenants, own)


def count_more(request: web.Request, calls: int) -> None:
    """For a call that turned out to be as much as several: its caller's next ones wait the longer."""
    if calls:
        for each in request.get(_COUNTS, ()):
            request[_VERDICT] = request.app[THROTTLE].charge(each.caller, each.pace, calls)


def count_work(request: web.Request, seconds: float) -> None:
    """That was done for a call."""
    count_more(request, more_calls(seconds))


async def metered(request: web.Request, principal: Principal, serve: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Serves a call within its tenant's share, and counts its work; not that of streams, which live long and of which there
    are few. Raises Throttled when too many wait for that share."""
    share = request.app[SHARES].of(principal)
    work = Metered(serve(), request.app[CLOCK].worked, share)
    try:
        answer = await work
    except TranscoderError:
        count_work(request, work.seconds)
        raise
    if not (isinstance(answer, web.StreamResponse) and answer.prepared):
        count_work(request, work.seconds)
    return answer


def tell(request: web.Request, headers: MutableMultiMapping[str]) -> None:
    """Adds to an answer how its caller stands, when the call was counted."""
    verdict = request.get(_VERDICT)
    if verdict is not None:
        headers["RateLimit-Limit"] = str(verdict.limit)
        headers["RateLimit-Remaining"] = str(verdict.remaining)
        headers["RateLimit-Reset"] = str(verdict.reset)
