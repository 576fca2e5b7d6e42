"""Why ffmpeg failed: from how it ended and from the last things it said. Its words never reach the tenant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from shared.failures import Cause, Failure, FailureCode
from shared.failures import FailureReason as Reason

TAIL_LINES: Final = 40


_PATTERNS: Final[tuple[tuple[Reason, re.Pattern[bytes]], ...]] = tuple(
    (reason, re.compile(b"|".join(patterns), re.MULTILINE))
    for reason, patterns in (
        (Reason.STORAGE_FULL, (rb"No space left on device", rb"Disk quota exceeded", rb"File too large")),
        (
            Reason.WRITE_FAILED,
            (rb"Input/output error", rb"Error writing trailer", rb"Error closing file", rb"Read-only file system"),
        ),
        (
            Reason.HARDWARE_BUSY,
            (
                rb"OpenEncodeSessionEx failed: (?:out of memory|incompatible client key) \((?:10|21)\)",
                rb"CUDA_ERROR_OUT_OF_MEMORY",
            ),
        ),
        (
            Reason.DRIVER_TOO_OLD,
            (
                rb"Driver does not support the required nvenc API version",
                rb"The minimum required Nvidia driver for nvenc is",
                rb"CUDA_ERROR_(?:SYSTEM_DRIVER_MISMATCH|INSUFFICIENT_DRIVER|UNSUPPORTED_PTX_VERSION)",
            ),
        ),
        (
            Reason.PICTURE_UNSUPPORTED,  # said before "No capable devices found", which then is true of this picture only
            (
                rb"(?:10 bit|[Ii]nterlaced|[Ll]ossless) encod(?:e|ing) not supported",
                rb"YUV4[24][24]P? not supported",
                rb"(?:Width|Height) \d+ exceeds \d+",
                rb"Max B-frames \d+ exceed \d+",
                rb"InitializeEncoder failed: (?:invalid|unsupported) param",
                rb"Impossible to convert between the formats supported by the filter",
            ),
        ),
        (
            Reason.HARDWARE_UNSUPPORTED,
            (
                rb"OpenEncodeSessionEx failed: unsupported device \(2\)",
                rb"No capable devices found",
                rb"Cannot load (?:libnvidia-encode|libcuda|nvcuda)",
            ),
        ),
        (
            Reason.HARDWARE_DECODING_FAILED,
            (
                rb"Error during hwaccel",
                rb"hwaccel initialisation returned error",
                rb"No decoder surfaces left",
                rb"Failed setup for format cuda",
            ),
        ),
        (
            Reason.HARDWARE_FAILED,
            (
                rb"CUDA_ERROR_\w+",
                rb"Failed to create CUDA",
                rb"Device creation failed",
                rb"(?:EncodePicture|Failed locking bitstream|OpenEncodeSessionEx) ?(?:buffer|failed)",
            ),
        ),
        (Reason.BIT_RATE_TOO_LOW, (rb"bitrate too low for this video", rb"requested bitrate is too low")),
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
LOST_WRITES: Final = (Reason.STORAGE_FULL, Reason.WRITE_FAILED)
"""Complaints after which the output is not whole, even if ffmpeg ended with 0."""
OF_HARDWARE: Final = frozenset(
    {
        Reason.HARDWARE_BUSY,
        Reason.HARDWARE_UNSUPPORTED,
        Reason.DRIVER_TOO_OLD,
        Reason.PICTURE_UNSUPPORTED,
        Reason.HARDWARE_DECODING_FAILED,
        Reason.HARDWARE_FAILED,
    }
)
"""Complaints about a card: what it cannot do now, or ever, is done in software."""

_SIGNALS: Final[Mapping[int, Reason]] = {
    6: Reason.ENCODER_CRASHED,
    8: Reason.ENCODER_CRASHED,
    11: Reason.ENCODER_CRASHED,
    25: Reason.STORAGE_FULL,
}
"""Of ABRT, FPE and SEGV the node is innocent. The limit on the size of a file, which XFSZ tells of, is what is left of the disk."""
FAILURES: Final[Mapping[Reason, Failure]] = {
    reason: Failure(cause=cause, code=code, message=message, reason=reason)
    for reason, cause, code, message in (
        (Reason.STORAGE_FULL, Cause.NODE, FailureCode.NODE_FAULT, "The node ran out of disk space."),
        (Reason.WRITE_FAILED, Cause.NODE, FailureCode.NODE_FAULT, "The node could not write the output."),
        (Reason.OUT_OF_MEMORY, Cause.NODE, FailureCode.NODE_FAULT, "The node ran out of memory."),
        (Reason.HARDWARE_BUSY, Cause.NODE, FailureCode.NODE_FAULT, "The node's hardware encoder had no session free."),
        (Reason.HARDWARE_UNSUPPORTED, Cause.NODE, FailureCode.NODE_FAULT, "The node's graphics card cannot encode."),
        (Reason.DRIVER_TOO_OLD, Cause.NODE, FailureCode.NODE_FAULT, "The node's graphics driver is too old."),
        (
            Reason.PICTURE_UNSUPPORTED,
            Cause.NODE,
            FailureCode.NODE_FAULT,
            "The node's hardware encoder cannot make a picture of this kind.",
        ),
        (
            Reason.HARDWARE_DECODING_FAILED,
            Cause.NODE,
            FailureCode.NODE_FAULT,
            "The node's graphics card could not decode the input.",
        ),
        (Reason.HARDWARE_FAILED, Cause.NODE, FailureCode.NODE_FAULT, "The node's graphics card failed."),
        (
            Reason.UNDECODABLE,
            Cause.INPUT,
            FailureCode.INPUT_UNHANDLED,
            "The input cannot be decoded: it is damaged, incomplete or of an unknown kind. Check the file and upload it again.",
        ),
        (
            Reason.BIT_RATE_TOO_LOW,
            Cause.INPUT,
            FailureCode.PRESET_MISMATCH,
            "The bit rate is too low for two passes over this input; raise `bit_rate`, or leave out `two_pass`.",
        ),
        (Reason.ENCODER_CRASHED, Cause.UNKNOWN, FailureCode.INTERNAL, "The encoder crashed while it made this output."),
        (Reason.ENCODER_KILLED, Cause.NODE, FailureCode.NODE_FAULT, "The encoder was killed on the node."),
        (Reason.UNKNOWN, Cause.UNKNOWN, FailureCode.INTERNAL, "The encoder failed for a reason that is not known."),
    )
}
"""What the tenant is told, by reason."""


def diagnose(exit_code: int, stderr_tail: bytes) -> Failure:
    return FAILURES[reason_of(exit_code, stderr_tail)]


def reason_of(exit_code: int, stderr_tail: bytes) -> Reason:
    """A negative code, or one above 128, is the signal that ended the process (or what wrapped it)."""
    said = complaint(stderr_tail)
    if said in LOST_WRITES or said in OF_HARDWARE or said is Reason.BIT_RATE_TOO_LOW:  # and then it crashes
        return said
    signal = -exit_code if exit_code < 0 else exit_code - 128
    if 0 < signal < 65:
        return _SIGNALS.get(signal, Reason.ENCODER_KILLED)
    return said


def complaint(stderr_tail: bytes) -> Reason:
    """What it says, whatever the exit code was: lost writes anywhere, all else only if it was said last."""
    last_lines = b"\n".join(stderr_tail.splitlines()[-TAIL_LINES:])
    for reason, pattern in _PATTERNS:
        if pattern.search(stderr_tail if reason in LOST_WRITES else last_lines):
            return reason
    return Reason.UNKNOWN
