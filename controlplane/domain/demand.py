"""What a job takes of a node, from what is known before its input is probed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controlplane.domain.planning import settings_of
from shared.capacity import Demand
from shared.ids import PresetId
from shared.jobspec import JobDocument, Settings, VideoCodec
from shared.jobspec.video import VideoSettings

MEBIBYTE: Final = 1024 * 1024
IN_HARDWARE: Final = frozenset({VideoCodec.H264, VideoCodec.HEVC})
"""What cards encode; one session for each rendition."""
HELD_OPEN: Final = 64
"""Inputs that a node reads in one process, when they are no larger than 1280x720."""
OF_AN_INPUT: Final = 16
"""Mebibytes."""
JOINED: Final = 8
"""How much larger inputs are without loss than as they come."""
_UNKNOWN_RATE: Final = 30.0


def demand(document: JobDocument, presets: Mapping[PresetId, Settings], input_size: int) -> Demand:
    """Two threads keep one software rendition busy; a rendition holds frames, lookahead and reference pictures in
    memory, and every input but the first the pictures of one more decoder; the workspace holds the inputs and outputs that
    are seldom larger. More inputs than are held open at once are joined in it first, without loss.

    Bytes and pixels are rounded up a little, so that jobs which hardly differ wait in one lane.
    """
    inputs = len(document.inputs)
    videos = [settings_of(output, presets).video for output in document.outputs]
    renditions = [video for video in videos if video is not None]
    hardware = sum(video.codec in IN_HARDWARE for video in renditions)
    return Demand(
        cpu_threads=max(1, 2 * len(renditions)),
        memory=(128 + 192 * len(renditions) + OF_AN_INPUT * min(inputs - 1, HELD_OPEN - 1)) * MEBIBYTE,
        scratch=rounded_up(64 * MEBIBYTE + (2 if inputs <= HELD_OPEN else 2 + JOINED) * input_size),
        nvenc_sessions=hardware,
        feed_threads=1 + 2 * (len(renditions) - hardware),
        pixel_rate=rounded_up(sum(_pixel_rate(video) for video in renditions)),
    )


def rounded_up(amount: int) -> int:
    """To the next of four steps per power of two: never by more than a quarter."""
    step = 1 << max(0, amount.bit_length() - 3)
    return -(-amount // step) * step


def _pixel_rate(video: VideoSettings) -> int:
    """At most: the picture is never larger than its bounds."""
    rate = video.max_frame_rate if video.frame_rate == "auto" else video.frame_rate
    width, height = video.bounds
    return int(width * height * (float(rate) if rate else _UNKNOWN_RATE))
