"""Why work failed: whose fault it was, and Elastic Transcoder's published number for it.

The numbers are those of `Outputs[].StatusDetail` in its API; every dialect and the native one carry them.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Cause(StrEnum):
    """Decides what happens next: a node's fault is retried elsewhere, an input's fault never."""

    INPUT = "input"
    NODE = "node"
    UNKNOWN = "unknown"


class FailureCode(IntEnum):
    INVALID_JOB = 1000
    DEPENDENCY_FAILED = 1001
    STORAGE_ERROR = 3000
    INPUT_MISSING = 3001
    OUTPUT_EXISTS = 3002
    BUCKET_MISSING = 3005
    BAD_INPUT_FORMAT = 4000
    INPUT_TOO_LARGE = 4001
    INPUT_UNSUPPORTED = 4006
    INPUT_UNHANDLED = 4007
    PRESET_MISMATCH = 4008
    INTERNAL = 9000
    NODE_FAULT = 9001
    OUT_OF_ATTEMPTS = 9999


class Failure(BaseModel):
    """`message` is for the tenant: what happened and what to do about it. No paths, no secrets, at most 255 characters."""

    model_config = ConfigDict(frozen=True)

    cause: Cause
    code: FailureCode
    message: str = Field(max_length=255)
