"""Names every request, turns whatever goes wrong with it into an answer, and counts."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from controlplane import metrics
from controlplane.http.reading import invalid
from controlplane.http.throttling import tell
from controlplane.services.acting import REQUEST
from shared.errors import ErrorCode, TooLarge, TranscoderError

log = structlog.get_logger()

REQUEST_ID: Final = web.RequestKey("request_id", str)

_chance: Final = random.Random(os.urandom(16))  # noqa: S311 (nobody gains by guessing; the kernel takes longer)

Refuse = Callable[[web.Request, TranscoderError], web.Response]
"""How an API says that something is refused."""

_FROM_HTTP: Final[Mapping[int, ErrorCode]] = {
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.TOO_LARGE,
    416: ErrorCode.RANGE_NOT_SATISFIABLE,
}
_REFUSALS: Final = {code: metrics.REFUSALS.labels(code) for code in ErrorCode}


def answering(native: Refuse, dialects: Mapping[re.Pattern[str], Refuse]) -> Middleware:
    """`dialects` by what their paths begin with: what does so is refused in its words, also where nothing is."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = perf_counter()
        refuse = next((dialects[paths] for paths in dialects if paths.match(request.path)), native)
        response = await _answered(request, handler, refuse)
        route = _route(request)
        metrics.answered(request.method if route else "-", route or "-", response.status, perf_counter() - began)
        return response

    return answer


async def _answered(request: web.Request, handler: Handler, refuse: Refuse) -> web.StreamResponse:
    request[REQUEST_ID] = request_id = f"rq_{_chance.getrandbits(64):016x}"
    REQUEST.set(request_id)
    try:
        response = await handler(request)
    except TranscoderError as error:
        return _refused(request, error, refuse)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refusal = _refused(request, _from_http(error), refuse)
        if "Allow" in error.headers:
            refusal.headers["Allow"] = error.headers["Allow"]
        return refusal
    except ValidationError as error:
        return _refused(request, invalid(error), refuse)
    except (ConnectionResetError, ConnectionAbortedError):
        raise
    except Exception:
        log.exception("request.failed", method=request.method, route=_route(request))
        return _refused(request, TranscoderError("Something went wrong here; try again later."), refuse)
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
        tell(request, response.headers)
    return response


def _refused(request: web.Request, error: TranscoderError, refuse: Refuse) -> web.Response:
    _REFUSALS[error.code].inc()
    response = refuse(request, error)
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    tell(request, response.headers)
    return response


def _route(request: web.Request) -> str | None:
    """The path as it was registered: the one that was sent may hold a signed link."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else None


def _from_http(error: web.HTTPException) -> TranscoderError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return TooLarge("The body is larger than this route takes.")
    code = _FROM_HTTP.get(error.status, ErrorCode.MALFORMED_REQUEST if error.status < 500 else ErrorCode.INTERNAL)
    return TranscoderError.of(code, {404: "There is nothing here."}.get(error.status, error.reason + "."))
