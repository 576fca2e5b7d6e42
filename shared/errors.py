"""The one catalogue of refusals. Services raise them; each API renders them in its own way, in one place."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """Stable names, part of the API: programs branch on these, never on text or status."""

    MALFORMED_REQUEST = "malformed_request"
    INVALID_FIELD = "invalid_field"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_PAGE_TOKEN = "invalid_page_token"  # noqa: S105 (a name, not a secret)
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    TENANT_SUSPENDED = "tenant_suspended"
    LINK_REFUSED = "link_refused"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    WRONG_STATE = "wrong_state"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    ALREADY_EXISTS = "already_exists"
    IN_USE = "in_use"
    STALE_LEASE = "stale_lease"
    TOO_SLOW = "too_slow"
    PRECONDITION_FAILED = "precondition_failed"
    TOO_LARGE = "too_large"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    PROTOCOL_TOO_OLD = "protocol_too_old"
    TOO_MANY_QUEUED = "too_many_queued"
    QUOTA_EXCEEDED = "quota_exceeded"
    THROTTLED = "throttled"
    STORAGE_FULL = "storage_full"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class TranscoderError(Exception):
    """A refusal with a stable code.

    `detail` is a sentence for people, `pointer` a JSON pointer to the field at fault (RFC 6901), `retry_after` seconds.
    """

    code = ErrorCode.INTERNAL

    def __init__(self, detail: str, *, pointer: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.retry_after = retry_after

    @classmethod
    def of(cls, code: ErrorCode, detail: str, *, pointer: str | None = None, retry_after: float | None = None) -> Self:
        """The refusal for a code that is known only at run time (an answer read from the wire)."""
        error = cls(detail, pointer=pointer, retry_after=retry_after)
        error.code = code
        return error


class InvalidField(TranscoderError):
    code = ErrorCode.INVALID_FIELD


class MalformedRequest(TranscoderError):
    code = ErrorCode.MALFORMED_REQUEST


class Unauthenticated(TranscoderError):
    code = ErrorCode.UNAUTHENTICATED


class Forbidden(TranscoderError):
    code = ErrorCode.FORBIDDEN


class TenantSuspended(TranscoderError):
    code = ErrorCode.TENANT_SUSPENDED


class Throttled(TranscoderError):
    code = ErrorCode.THROTTLED


class NotFound(TranscoderError):
    """Missing, or another tenant's: the two are told apart by nobody."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no such {kind}.")


class WrongState(TranscoderError):
    code = ErrorCode.WRONG_STATE


class IdempotencyMismatch(TranscoderError):
    code = ErrorCode.IDEMPOTENCY_MISMATCH


class Outdated(TranscoderError):
    """What this was made from has been changed since: it changed nothing, and may be made anew."""

    code = ErrorCode.PRECONDITION_FAILED


class AlreadyExists(TranscoderError):
    code = ErrorCode.ALREADY_EXISTS


class InUse(TranscoderError):
    code = ErrorCode.IN_USE


class TooManyQueued(TranscoderError):
    code = ErrorCode.TOO_MANY_QUEUED


class QuotaExceeded(TranscoderError):
    code = ErrorCode.QUOTA_EXCEEDED


class StaleLease(TranscoderError):
    """The message speaks of a lease that is no longer the live one; it changed nothing."""

    code = ErrorCode.STALE_LEASE


class TooLarge(TranscoderError):
    code = ErrorCode.TOO_LARGE


class LinkRefused(TranscoderError):
    code = ErrorCode.LINK_REFUSED


class StorageFull(TranscoderError):
    code = ErrorCode.STORAGE_FULL


class Unavailable(TranscoderError):
    code = ErrorCode.UNAVAILABLE
