"""The one place where a refusal becomes HTTP: RFC 9457 `application/problem+json` with a stable `code`."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Final

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict
from pydantic import ValidationError

from controlplane import metrics
from controlplane.api.throttling import tell
from controlplane.services.acting import REQUEST
from shared.errors import ErrorCode, InvalidField, MalformedRequest, TooLarge, TranscoderError
from shared.models import NOT_SUPPORTED_YET

log = structlog.get_logger()

REQUEST_ID: Final = web.RequestKey("request_id", str)

STATUS: Final[Mapping[ErrorCode, int]] = {
    ErrorCode.MALFORMED_REQUEST: 400,
    ErrorCode.INVALID_FIELD: 400,
    ErrorCode.MISSING_FIELD: 400,
    ErrorCode.UNKNOWN_FIELD: 400,
    ErrorCode.NOT_SUPPORTED_YET: 400,
    ErrorCode.INVALID_PAGE_TOKEN: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.TENANT_SUSPENDED: 403,
    ErrorCode.LINK_REFUSED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.TOO_SLOW: 408,
    ErrorCode.WRONG_STATE: 409,
    ErrorCode.IDEMPOTENCY_MISMATCH: 409,
    ErrorCode.ALREADY_EXISTS: 409,
    ErrorCode.IN_USE: 409,
    ErrorCode.STALE_LEASE: 409,
    ErrorCode.PRECONDITION_FAILED: 412,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_ENCODING: 415,
    ErrorCode.RANGE_NOT_SATISFIABLE: 416,
    ErrorCode.PROTOCOL_TOO_OLD: 426,
    ErrorCode.TOO_MANY_QUEUED: 429,
    ErrorCode.QUOTA_EXCEEDED: 403,
    ErrorCode.THROTTLED: 429,
    ErrorCode.STORAGE_FULL: 503,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}

_FROM_HTTP: Final[Mapping[int, ErrorCode]] = {
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.TOO_LARGE,
    416: ErrorCode.RANGE_NOT_SATISFIABLE,
}
_REFUSALS: Final = {code: metrics.REFUSALS.labels(code) for code in ErrorCode}
_RENAMED: Final = {"missing": ErrorCode.MISSING_FIELD, "extra_forbidden": ErrorCode.UNKNOWN_FIELD}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Names the request, turns whatever goes wrong into a problem document, and counts."""
    began = perf_counter()
    response = await _answered(request, handler)
    route = _route(request)
    metrics.answered(request.method if route else "-", route or "-", response.status, perf_counter() - began)
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[REQUEST_ID] = request_id = f"rq_{secrets.token_hex(8)}"
    REQUEST.set(request_id)
    try:
        response = await handler(request)
    except TranscoderError as error:
        return problem(request, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refusal = problem(request, _from_http(error))
        if "Allow" in error.headers:
            refusal.headers["Allow"] = error.headers["Allow"]
        return refusal
    except ValidationError as error:
        return problem(request, invalid(error))
    except (ConnectionResetError, ConnectionAbortedError):
        raise
    except Exception:
        log.exception("request.failed", method=request.method, route=_route(request))
        return problem(request, TranscoderError("Something went wrong here; try again later."))
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
        tell(request, response.headers)
    return response


def _route(request: web.Request) -> str | None:
    """The path as it was registered: the one that was sent may hold a signed link."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else None


def problem(request: web.Request, error: TranscoderError) -> web.Response:
    status = STATUS[error.code]
    _REFUSALS[error.code].inc()
    document: dict[str, Any] = {
        "type": f"/docs/errors/{error.code.replace('_', '-')}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status,
        "code": error.code,
        "detail": error.detail,
        "pointer": error.pointer,
        "request_id": request[REQUEST_ID],
        "retry_after": error.retry_after,
    }
    headers = CIMultiDict({"X-Request-Id": request[REQUEST_ID]})
    tell(request, headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=orjson.dumps(document), status=status, content_type="application/problem+json", headers=headers
    )


def invalid(error: ValidationError) -> TranscoderError:
    """The first thing that is wrong with a document, with a pointer to it."""
    first = error.errors(include_url=False, include_input=False)[0]
    location = [str(part) for place, part in enumerate(first["loc"]) if not _is_tag(first["loc"], place)]
    context = first.get("ctx", {})
    if "field" in context:
        location += str(context["field"]).split("/")
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in location)
    if first["type"] in ("json_invalid", "json_type"):
        return MalformedRequest(f"The body is not JSON: {context.get('error', first['msg'])}.")
    if first["type"] == "extra_forbidden" and location and location[-1] in NOT_SUPPORTED_YET:
        detail = f"`{location[-1]}` is not supported by this release."
        return TranscoderError.of(ErrorCode.NOT_SUPPORTED_YET, detail, pointer=pointer)
    detail = {"missing": "This field is required.", "extra_forbidden": "There is no such field."}.get(
        first["type"], first["msg"]
    )
    code = _RENAMED.get(first["type"])
    return TranscoderError.of(code, detail, pointer=pointer) if code else InvalidField(detail, pointer=pointer)


def _is_tag(location: Sequence[str | int], place: int) -> bool:
    """Names that pydantic puts at the end of a location: for the branch of a union that it tried, or for a key's own rule.

    Not those directly below a field whose keys are the tenant's own.
    """
    part = location[place]
    if not isinstance(part, str) or place != len(location) - 1:
        return False
    if place > 0 and location[place - 1] in _FREE_FIELDS:
        return False
    return part.startswith(("literal[", "function-", "constrained-")) or part in _TAGS


_TAGS: Final = frozenset({"int", "str", "float", "bool", "[key]"})
_FREE_FIELDS: Final = frozenset({"metadata", "labels"})


def _from_http(error: web.HTTPException) -> TranscoderError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return TooLarge("The body is larger than this route takes.")
    code = _FROM_HTTP.get(error.status, ErrorCode.MALFORMED_REQUEST if error.status < 500 else ErrorCode.INTERNAL)
    return TranscoderError.of(code, {404: "There is nothing here."}.get(error.status, error.reason + "."))
