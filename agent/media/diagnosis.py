"""Why ffmpeg failed: from how it ended and from the last things it said. Its words never reach the tenant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.failures import Cause, Failure, FailureCode

TAIL_LINES: Final = 40


class Reason(StrEnum):
    """What a fallback may depend on."""

    DISK_FULL = "disk_full"
    WRITE_FAILED = "write_failed"
    OUT_OF_MEMORY = "out_of_memory"
    NVENC_BUSY = "nvenc_busy"  # no session is free just now: wait, or encode in software
    NVENC_UNSUPPORTED = "nvenc_unsupported"  # this card or driver will never do it
    GPU_FAULT = "gpu_fault"
    UNDECODABLE = "undecodable"
    KILLED = "killed"
    UNKNOWN = "unknown"


_PATTERNS: Final[tuple[tuple[Reason, re.Pattern[bytes]], ...]] = tuple(
    (reason, re.compile(b"|".join(patterns), re.MULTILINE))
    for reason, patterns in (
        (Reason.DISK_FULL, (rb"No space left on device", rb"Disk quota exceeded", rb"File too large")),
        (
            Reason.WRITE_FAILED,
            (rb"Input/output error", rb"Error writing trailer", rb"Error closing file", rb"Read-only file system"),
        ),
        (Reason.NVENC_BUSY, (rb"OpenEncodeSessionEx failed: (?:out of memory|incompatible client key) \((?:10|21)\)",)),
        (
            Reason.NVENC_UNSUPPORTED,
            (
                rb"OpenEncodeSessionEx failed: unsupported device \(2\)",
                rb"No capable devices found",
                rb"Driver does not support the required nvenc",
                rb"Cannot load (?:libnvidia-encode|libcuda|nvcuda)",
            ),
        ),
        (
            Reason.GPU_FAULT,
            (
                rb"CUDA_ERROR_\w+",
                rb"Failed to create CUDA",
                rb"Error during hwaccel",
                rb"hwaccel initialisation returned error",
            ),
        ),
        (Reason.OUT_OF_MEMORY, (rb"Cannot allocate memory", rb"[Oo]ut of memory")),
        (
            Reason.UNDECODABLE,
            (
                rb"^(?:file:)?in/\d+: (?:Invalid data found|.*not on whitelist|End of file)",
                rb"moov atom not found",
                rb"Decoder \(codec [\w ]+\) not found",
                rb"Error while decoding stream",
                rb"Cannot determine format of input stream",
                rb"error rate .* exceeds maximum",
                rb"Picture size \d+x\d+ is invalid",
                rb"Could not find codec parameters",
            ),
        ),
    )
)
LOST_WRITES: Final = (Reason.DISK_FULL, Reason.WRITE_FAILED)
"""Complaints after which the output is not whole, even if ffmpeg ended with 0."""

_SIGNALS: Final[Mapping[int, Reason]] = {25: Reason.DISK_FULL}
"""The limit on the size of a file, which XFSZ tells of, is what is left of the disk."""
FAILURES: Final[Mapping[Reason, Failure]] = {
    reason: Failure(cause=cause, code=code, message=message)
    for reason, cause, code, message in (
        (Reason.DISK_FULL, Cause.NODE, FailureCode.NODE_FAULT, "The node ran out of disk space."),
        (Reason.WRITE_FAILED, Cause.NODE, FailureCode.NODE_FAULT, "The node could not write the output."),
        (Reason.OUT_OF_MEMORY, Cause.NODE, FailureCode.NODE_FAULT, "The node ran out of memory."),
        (Reason.NVENC_BUSY, Cause.NODE, FailureCode.NODE_FAULT, "The node's hardware encoder had no session free."),
        (Reason.NVENC_UNSUPPORTED, Cause.NODE, FailureCode.NODE_FAULT, "The node's hardware encoder cannot do this."),
        (Reason.GPU_FAULT, Cause.NODE, FailureCode.NODE_FAULT, "The node's graphics card failed."),
        (
            Reason.UNDECODABLE,
            Cause.INPUT,
            FailureCode.INPUT_UNHANDLED,
            "The input cannot be decoded: it is damaged, incomplete or of an unknown kind. Check the file and upload it again.",
        ),
        (Reason.KILLED, Cause.NODE, FailureCode.NODE_FAULT, "The encoder was killed on the node."),
        (Reason.UNKNOWN, Cause.UNKNOWN, FailureCode.INTERNAL, "The encoder failed for a reason that is not known."),
    )
}
"""What the tenant is told, by reason."""


def diagnose(exit_code: int, stderr_tail: bytes) -> Failure:
    return FAILURES[reason_of(exit_code, stderr_tail)]


def reason_of(exit_code: int, stderr_tail: bytes) -> Reason:
    """A negative code, or one above 128, is the signal that ended the process (or what wrapped it)."""
    said = complaint(stderr_tail)
    if said in (*LOST_WRITES, Reason.NVENC_BUSY, Reason.NVENC_UNSUPPORTED):
        return said
    signal = -exit_code if exit_code < 0 else exit_code - 128
    if 0 < signal < 65:
        return _SIGNALS.get(signal, Reason.KILLED)
    return said


def complaint(stderr_tail: bytes) -> Reason:
    """What it says, whatever the exit code was: lost writes anywhere, all else only if it was said last."""
    last_lines = b"\n".join(stderr_tail.splitlines()[-TAIL_LINES:])
    for reason, pattern in _PATTERNS:
        if pattern.search(stderr_tail if reason in LOST_WRITES else last_lines):
            return reason
    return Reason.UNKNOWN
