"""Exit codes and last words of ffmpeg, and whose fault they show."""

from __future__ import annotations

import pytest

from agent.media import diagnose, reason_of
from agent.media.diagnosis import FAILURES
from shared.failures import Cause
from shared.failures import FailureReason as Reason


@pytest.mark.parametrize(
    ("exit_code", "stderr", "reason", "cause"),
    [
        (1, b"av_interleaved_write_frame(): No space left on device\n", Reason.STORAGE_FULL, Cause.NODE),
        (
            1,
            b"[h264_nvenc @ 0x5] OpenEncodeSessionEx failed: out of memory (10): (no details)\n",
            Reason.HARDWARE_BUSY,
            Cause.NODE,
        ),
        (
            1,
            b"[h264_nvenc @ 0x5] OpenEncodeSessionEx failed: incompatible client key (21): (no details)\n",
            Reason.HARDWARE_BUSY,
            Cause.NODE,
        ),
        (
            1,
            b"[h264_nvenc @ 0x5] OpenEncodeSessionEx failed: unsupported device (2): (no details)\n",
            Reason.HARDWARE_UNSUPPORTED,
            Cause.NODE,
        ),
        (1, b"[h264_nvenc @ 0x5] Cannot load libcuda.so.1\n", Reason.HARDWARE_UNSUPPORTED, Cause.NODE),
        (
            1,
            b"[AVHWDeviceContext @ 0x5] cu->cuInit(0) failed -> CUDA_ERROR_NO_DEVICE\n",
            Reason.HARDWARE_FAILED,
            Cause.NODE,
        ),
        (
            1,
            b"dl_fn->cuda_dl->cuCtxCreate(&ctx) failed -> CUDA_ERROR_OUT_OF_MEMORY\n",
            Reason.HARDWARE_BUSY,
            Cause.NODE,
        ),
        (
            1,
            b"[h264_nvenc @ 0x5] Driver does not support the required nvenc API version. Required: 12.1 Found: 11.1\n"
            b"[h264_nvenc @ 0x5] The minimum required Nvidia driver for nvenc is 530.41.03 or newer\n",
            Reason.DRIVER_TOO_OLD,
            Cause.NODE,
        ),
        (
            1,
            b"[h264_nvenc @ 0x5] 10 bit encode not supported\n[h264_nvenc @ 0x5] No capable devices found\n",
            Reason.PICTURE_UNSUPPORTED,
            Cause.NODE,
        ),
        (
            1,
            b"[h264_nvenc @ 0x5] Width 7680 exceeds 4096\n[h264_nvenc @ 0x5] No capable devices found\n",
            Reason.PICTURE_UNSUPPORTED,
            Cause.NODE,
        ),
        (1, b"[h264_nvenc @ 0x5] No capable devices found\n", Reason.HARDWARE_UNSUPPORTED, Cause.NODE),
        (
            1,
            b"[h264 @ 0x5] No decoder surfaces left\nError while decoding stream #0:0: Invalid data found\n",
            Reason.HARDWARE_DECODING_FAILED,
            Cause.NODE,
        ),
        (
            1,
            b"[h264_nvenc @ 0x5] EncodePicture failed!: generic error (20)\n",
            Reason.HARDWARE_FAILED,
            Cause.NODE,
        ),
        (1, b"Error while filtering: Cannot allocate memory\n", Reason.OUT_OF_MEMORY, Cause.NODE),
        (1, b"file:in/0: Invalid data found when processing input\n", Reason.UNDECODABLE, Cause.INPUT),
        (1, b"[mov,mp4 @ 0x5] moov atom not found\n", Reason.UNDECODABLE, Cause.INPUT),
        (1, b"Error writing trailer of out/o0.mp4: Input/output error\n", Reason.WRITE_FAILED, Cause.NODE),
        (1, b"av_interleaved_write_frame(): File too large\n", Reason.STORAGE_FULL, Cause.NODE),
        (-9, b"", Reason.ENCODER_KILLED, Cause.NODE),
        (137, b"", Reason.ENCODER_KILLED, Cause.NODE),
        (-11, b"Error while decoding stream #0:0: Invalid data found\n", Reason.ENCODER_CRASHED, Cause.UNKNOWN),
        (134, b"double free or corruption (!prev)\n", Reason.ENCODER_CRASHED, Cause.UNKNOWN),
        (
            134,
            b"[lavc rc] Error: bitrate too low for this video with these parameters.\nmalloc_consolidate()\n",
            Reason.BIT_RATE_TOO_LOW,
            Cause.INPUT,
        ),
        (-25, b"", Reason.STORAGE_FULL, Cause.NODE),
        (153, b"", Reason.STORAGE_FULL, Cause.NODE),
        (1, b"Conversion failed!\n", Reason.UNKNOWN, Cause.UNKNOWN),
        (1, b"\xff\xfe\x00", Reason.UNKNOWN, Cause.UNKNOWN),
    ],
)
def test_a_failure_has_a_reason_and_a_cause(exit_code: int, stderr: bytes, reason: Reason, cause: Cause) -> None:
    assert reason_of(exit_code, stderr) is reason
    assert diagnose(exit_code, stderr).cause is cause


def test_only_the_last_lines_count() -> None:
    early = b"Error while decoding stream #0:0: Invalid data found\n" + b"something else\n" * 50
    assert reason_of(1, early) is Reason.UNKNOWN


def test_a_full_disk_counts_whenever_it_was_mentioned() -> None:
    assert reason_of(1, b"No space left on device\n" + b"something else\n" * 50) is Reason.STORAGE_FULL


def test_what_ffmpeg_said_never_reaches_the_tenant() -> None:
    failure = diagnose(1, b"/var/lib/transcoder/work/secret: No space left on device\n")
    assert "secret" not in failure.message
    assert all(failure.reason is reason for reason, failure in FAILURES.items())
