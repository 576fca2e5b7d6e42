"""What a job takes of a node, from what is known before its input is probed."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Final

from controlplane.domain.planning.recipe import Recipe
from shared.capacity import Demand
from shared.jobspec import VideoCodec
from shared.jobspec.video import VideoSettings

MEBIBYTE: Final = 1024 * 1024
IN_HARDWARE: Final = frozenset({VideoCodec.H264, VideoCodec.HEVC})
"""What cards encode; one session for each rendition."""
HELD_OPEN: Final = 64
"""Inputs that a node reads in one process, when they are no larger than 1280x720."""
OF_AN_INPUT: Final = 16 * MEBIBYTE
OF_A_PROCESS: Final = 128 * MEBIBYTE
OF_A_RENDITION: Final = 192 * MEBIBYTE
OF_AN_AV1_RENDITION: Final = 256 * MEBIBYTE
OF_AN_AV1_PIXEL: Final = 240
"""Bytes. What SVT-AV1 holds grows with the picture: 760 MiB at 1920x1080, measured; one such rendition is made at a time."""
_UNKNOWN_RATE: Final = 30.0


def demand(recipe: Recipe, inputs: int, input_size: int) -> Demand:
    """Two threads keep one software rendition busy; a rendition holds frames, lookahead and reference pictures in
    memory, and every input but the first the pictures of one more decoder; the workspace holds the inputs and outputs that
    are seldom larger.

    Bytes and pixels are rounded up a little, so that jobs which hardly differ wait in one lane.
    """
    renditions, hardware, memory, pixel_rate = _load(recipe)
    return Demand(
        cpu_threads=max(1, 2 * renditions),
        memory=OF_A_PROCESS + memory + OF_AN_INPUT * min(inputs - 1, HELD_OPEN - 1),
        scratch=rounded_up(64 * MEBIBYTE + 2 * input_size),
        nvenc_sessions=hardware,
        feed_threads=1 + 2 * (renditions - hardware),
        pixel_rate=pixel_rate,
    )


@lru_cache(256)
def _load(recipe: Recipe) -> tuple[int, int, int, int]:
    """Renditions, how many of them cards encode, the bytes of memory that they hold, and the pixels per second of all."""
    hardware = sum(video.codec in IN_HARDWARE for video in recipe.videos)
    return len(recipe.videos), hardware, _held(recipe), rounded_up(sum(_pixel_rate(video) for video in recipe.videos))


def _held(recipe: Recipe) -> int:
    of_av1 = [prod(video.bounds) for video in recipe.videos if video.codec is VideoCodec.AV1]
    together = OF_A_RENDITION * (len(recipe.videos) - len(of_av1))
    if not of_av1:
        return together
    return max(together, rounded_up(OF_AN_AV1_RENDITION + OF_AN_AV1_PIXEL * max(of_av1)))


def rounded_up(amount: int) -> int:
    """To the next of four steps per power of two: never by more than a quarter."""
    step = 1 << max(0, amount.bit_length() - 3)
    return -(-amount // step) * step


def _pixel_rate(video: VideoSettings) -> int:
    """At most: the picture is never larger than its bounds."""
    rate = video.max_frame_rate if video.frame_rate == "auto" else video.frame_rate
    width, height = video.bounds
    return int(width * height * (float(rate) if rate else _UNKNOWN_RATE))
