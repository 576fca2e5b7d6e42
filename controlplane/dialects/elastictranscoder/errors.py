"""Refusals as Elastic Transcoder told them: the name in a header, since the strictest clients read no other place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson
from aiohttp import web

from controlplane.auth import sigv4
from controlplane.dialects.elastictranscoder.constraints import spelled
from controlplane.http.answering import REQUEST_ID
from shared.errors import ErrorCode, TranscoderError

VERSION: Final = "2012-09-25"
PREFIX: Final = f"/{VERSION}/"
PATHS: Final = re.compile(r"/([0-9]{4}-[0-9]{2}-[0-9]{2})/")
"""Of any version: clients put the one that they speak in front of every path."""


class Refusal(NamedTuple):
    """An exception of the service's model, and its status."""

    name: str
    status: int


_VALIDATION: Final = Refusal("ValidationException", 400)
_DENIED: Final = Refusal("AccessDeniedException", 403)
_IN_USE: Final = Refusal("ResourceInUseException", 409)
_LIMIT: Final = Refusal("LimitExceededException", 429)
_UNAVAILABLE: Final = Refusal("ServiceUnavailableException", 503)
_NO_OPERATION: Final = Refusal("UnknownOperationException", 404)
_OTHER_VERSION: Final = Refusal("IncompatibleVersionException", 400)

EXCEPTIONS: Final[Mapping[ErrorCode, Refusal]] = {
    ErrorCode.MALFORMED_REQUEST: _VALIDATION,
    ErrorCode.INVALID_FIELD: _VALIDATION,
    ErrorCode.MISSING_FIELD: _VALIDATION,
    ErrorCode.UNKNOWN_FIELD: _VALIDATION,
    ErrorCode.INVALID_PAGE_TOKEN: _VALIDATION,
    ErrorCode.TOO_LARGE: _VALIDATION,
    ErrorCode.TOO_SLOW: _VALIDATION,
    ErrorCode.UNSUPPORTED_ENCODING: _VALIDATION,
    ErrorCode.RANGE_NOT_SATISFIABLE: _VALIDATION,
    ErrorCode.PROTOCOL_TOO_OLD: _OTHER_VERSION,
    ErrorCode.UNAUTHENTICATED: _DENIED,
    ErrorCode.FORBIDDEN: _DENIED,
    ErrorCode.TENANT_SUSPENDED: _DENIED,
    ErrorCode.LINK_REFUSED: _DENIED,
    ErrorCode.NOT_FOUND: Refusal("ResourceNotFoundException", 404),
    ErrorCode.METHOD_NOT_ALLOWED: _NO_OPERATION,
    ErrorCode.WRONG_STATE: _IN_USE,
    ErrorCode.IDEMPOTENCY_MISMATCH: _IN_USE,
    ErrorCode.ALREADY_EXISTS: _IN_USE,
    ErrorCode.IN_USE: _IN_USE,
    ErrorCode.STALE_LEASE: _IN_USE,
    ErrorCode.PRECONDITION_FAILED: _IN_USE,
    ErrorCode.TOO_MANY_QUEUED: _LIMIT,
    ErrorCode.QUOTA_EXCEEDED: _LIMIT,
    ErrorCode.THROTTLED: Refusal("ThrottlingException", 429),
    ErrorCode.STORAGE_FULL: _UNAVAILABLE,
    ErrorCode.UNAVAILABLE: _UNAVAILABLE,
    ErrorCode.INTERNAL: Refusal("InternalServiceException", 500),
}
_UNSIGNED: Final[Mapping[type[TranscoderError], Refusal]] = {
    sigv4.MissingSignature: Refusal("MissingAuthenticationTokenException", 403),
    sigv4.IncompleteSignature: Refusal("IncompleteSignatureException", 400),
    sigv4.UnknownAccessKey: Refusal("UnrecognizedClientException", 403),
    sigv4.WrongSignature: Refusal("InvalidSignatureException", 403),
}


class NotThere(TranscoderError):
    """Missing, or another tenant's: in the words of the service."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, noun: str, account: str, name: str) -> None:
        super().__init__(f"The specified {noun} was not found: account={account}, {noun}Id={name}.")


def refusal(request: web.Request, error: TranscoderError) -> web.Response:
    found, message = _UNSIGNED.get(type(error)) or EXCEPTIONS[error.code], _message(error)
    if request.match_info.http_exception is not None:
        found, message = _unrouted(request.path, message)
    headers = {"x-amzn-RequestId": request[REQUEST_ID], "x-amzn-ErrorType": found.name}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
        headers["x-amz-retry-after"] = str(max(1, math.ceil(error.retry_after * 1000)))
    body = orjson.dumps({"message": message})
    return web.Response(body=body, status=found.status, content_type="application/json", headers=headers)


def _unrouted(path: str, message: str) -> tuple[Refusal, str]:
    """Of another version nothing is served, whatever comes after it."""
    said = PATHS.match(path)
    if said is None or said[1] == VERSION:
        return _NO_OPERATION, message
    return _OTHER_VERSION, f"Version {said[1]} is not served here: speak {VERSION}."


def _message(error: TranscoderError) -> str:
    """With the wire's name of the member at fault, where only the native one is known."""
    if not error.pointer or EXCEPTIONS[error.code] is not _VALIDATION:
        return error.detail
    parts = [int(part) if part.isdecimal() else part for part in error.pointer.split("/")[1:]]
    return f"1 validation error detected: Value at '{spelled(parts)}' failed to satisfy constraint: {error.detail}"
