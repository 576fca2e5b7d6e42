"""Counts calls, and tells callers how they stand: `Retry-After`, and the RateLimit headers.

`RateLimit-Limit`, `-Remaining` and `-Reset` as in draft-ietf-httpapi-ratelimit-headers-06: how many calls of this kind may
come at once, how many more may now, and in how many seconds all may again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Hashable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from aiohttp import web
from multidict import MutableMultiMapping

from controlplane.auth.principal import Principal
from controlplane.auth.throttling import Throttle, Verdict
from controlplane.domain.throttle import Operation, Pace, more_calls, weight
from controlplane.http.keys import CLOCK
from shared.errors import Throttled, TranscoderError
from shared.ids import TenantId

T = TypeVar("T")
THROTTLE: Final = web.AppKey("throttle", Throttle)


class _Counted(NamedTuple):
    """Whose calls, and how many are allowed; and the same of all users of the caller's tenant together."""

    caller: Hashable
    pace: Pace
    tenant_id: TenantId | None
    pace_of_tenant: Pace


_COUNTED: Final = web.RequestKey("counted", _Counted)
_VERDICT: Final = web.RequestKey("verdict", Verdict)


def count(request: web.Request, principal: Principal, operation: Operation, size: int) -> None:
    """`size` is that of its document in bytes. Raises Throttled when this caller has made too many calls of this kind."""
    counted = _Counted(
        principal.counted_as(operation), principal.paces[operation], principal.tenant_id, principal.pace_of_tenant
    )
    throttle, calls = request.app[THROTTLE], weight(size)
    wait = 0.0 if counted.tenant_id is None else throttle.wait(counted.tenant_id, counted.pace_of_tenant)
    if wait:
        raise Throttled("Too many requests of all users of this account together.", retry_after=wait)
    request[_VERDICT] = verdict = throttle.take(counted.caller, counted.pace, calls)
    if verdict.wait:
        raise Throttled(f"Too many requests to {operation}.", retry_after=verdict.wait)
    request[_COUNTED] = counted
    if counted.tenant_id is not None:
        throttle.charge(counted.tenant_id, counted.pace_of_tenant, calls)


async def metered(request: web.Request, serving: Coroutine[Any, Any, T]) -> T:
    """Serves a call; one that takes much work counts as several, and its caller's next ones wait the longer.

    Not so streams, which live long and of which there are few.
    """
    work = Metered(serving, request.app[CLOCK].worked)
    try:
        answer = await work
    except TranscoderError:
        charge(request, work.seconds)
        raise
    if not (isinstance(answer, web.StreamResponse) and answer.prepared):
        charge(request, work.seconds)
    return answer


def charge(request: web.Request, seconds: float) -> None:
    """For work that was done for a call."""
    calls, counted = more_calls(seconds), request.get(_COUNTED)
    if calls and counted is not None:
        throttle = request.app[THROTTLE]
        request[_VERDICT] = throttle.charge(counted.caller, counted.pace, calls)
        if counted.tenant_id is not None:
            throttle.charge(counted.tenant_id, counted.pace_of_tenant, calls)


class Metered(Generic[T]):
    """What runs a coroutine, and knows how long it worked: what others do while it waits is not counted."""

    def __init__(self, work: Coroutine[Any, Any, T], worked: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._work = work
        self._worked = worked

    def __await__(self) -> Generator[Any, None, T]:
        thrown: BaseException | None = None
        while True:
            began = self._worked()
            try:
                awaited = self._work.send(None) if thrown is None else self._work.throw(thrown)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                self.seconds += self._worked() - began
            try:
                yield awaited
                thrown = None
            except GeneratorExit:
                self._work.close()
                raise
            except BaseException as error:  # its own to deal with: it may be canceled
                thrown = error


def tell(request: web.Request, headers: MutableMultiMapping[str]) -> None:
    """Adds to an answer how its caller stands, when the call was counted."""
    verdict = request.get(_VERDICT)
    if verdict is not None:
        headers["RateLimit-Limit"] = str(verdict.limit)
        headers["RateLimit-Remaining"] = str(verdict.remaining)
        headers["RateLimit-Reset"] = str(verdict.reset)
