"""Why work failed: whose fault it was, and Elastic Transcoder's published number for it.

The numbers are those of `Outputs[].StatusDetail` in its API; every dialect and the native one carry them. Only that of
quotas is our own: a job could not outlive a quota there.
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
    QUOTA_EXCEEDED = 1100
    STORAGE_ERROR = 3000
    INPUT_MISSING = 3001
    OUTPUT_EXISTS = 3002
    BUCKET_MISSING = 3005
    BAD_INPUT_FORMAT = 4000
    PICTURE_TOO_LARGE = 4001
    WATERMARK_UNREADABLE = 4003
    WATERMARK_TOO_LARGE = 4004
    FILE_TOO_LARGE = 4005
    INPUT_UNSUPPORTED = 4006
    INPUT_UNHANDLED = 4007
    PRESET_MISMATCH = 4008
    TOO_MANY_ARTWORKS = 4009
    ARTWORK_UNREADABLE = 4010
    EMBEDDED_ARTWORK_UNREADABLE = 4011
    ARTWORK_TOO_LARGE = 4012
    EMBEDDED_ARTWORK_TOO_LARGE = 4013
    CLIP_BEYOND_END = 4014
    SEGMENTS_DIFFER = 4015
    UNDECIPHERABLE = 4016
    EMBEDDED_CAPTIONS_UNREADABLE = 4100
    CAPTIONS_UNREADABLE = 4101
    CAPTIONS_NOT_UTF8 = 4102
    TOO_MANY_CAPTIONS = 4103
    CAPTIONS_UNFIT_FOR_FRAME_RATE = 4105
    CAPTIONS_UNFIT_FOR_FORMAT = 4106
    INTERNAL = 9000
    NODE_FAULT = 9001
    QUARANTINED = 9002
    OUT_OF_ATTEMPTS = 9999


class FailureReason(StrEnum):
    """What programs tell failures apart by; one without a reason has nothing to say that its number does not.

    A fallback inside a job, and what a node learns of its card, follow from it.
    """

    STORAGE_FULL = "storage_full"
    STALLED = "stalled"
    TOOK_TOO_LONG = "took_too_long"
    WRITE_FAILED = "write_failed"
    OUT_OF_MEMORY = "out_of_memory"
    ENCODER_KILLED = "encoder_killed"  # by the machine
    ENCODER_CRASHED = "encoder_crashed"  # by itself, over what it was given
    HARDWARE_BUSY = "hardware_busy"  # no session is free just now
    HARDWARE_UNSUPPORTED = "hardware_unsupported"  # this card will never encode
    DRIVER_TOO_OLD = "driver_too_old"
    PICTURE_UNSUPPORTED = "picture_unsupported"  # this card encodes, but nothing of this size or pixel format
    HARDWARE_DECODING_FAILED = "hardware_decoding_failed"  # the card may still encode what is decoded elsewhere
    HARDWARE_FAILED = "hardware_failed"  # the card is gone, or stopped working
    INPUT_CHANGED = "input_changed"
    FAILED_BEFORE = "failed_before"  # and was not tried again
    MISDESCRIBED = "misdescribed"  # perhaps: it was read as the job says, with its container or its key
    UNDECODABLE = "undecodable"
    BIT_RATE_TOO_LOW = "bit_rate_too_low"  # for two passes over what the input shows
    UNEVEN = "uneven"  # times in the input go back, or it becomes another kind midway
    UNKNOWN = "unknown"


class Failure(BaseModel):
    """`message` is for the tenant: what happened and what to do about it. No paths, no secrets, at most 255 characters."""

    model_config = ConfigDict(frozen=True)

    cause: Cause
    code: FailureCode
    message: str = Field(max_length=255)
    reason: FailureReason | None = None
