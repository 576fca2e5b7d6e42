"""A refusal as the native API tells it: RFC 9457 `application/problem+json` with a stable `code`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from controlplane.http.answering import REQUEST_ID
from shared.errors import ErrorCode, TranscoderError

STATUS: Final[Mapping[ErrorCode, int]] = {
    ErrorCode.MALFORMED_REQUEST: 400,
    ErrorCode.INVALID_FIELD: 400,
    ErrorCode.MISSING_FIELD: 400,
    ErrorCode.UNKNOWN_FIELD: 400,
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


def problem(request: web.Request, error: TranscoderError) -> web.Response:
    status = STATUS[error.code]
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
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=orjson.dumps(document), status=status, content_type="application/problem+json", headers=headers
    )
