"""Compares what came out with references that were made another way: picture by picture, and sample by sample."""

from __future__ import annotations

import array
import math
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.media.encoding import ffprobe

SAME: Final = 30.0
"""Decibels: above it one picture is the other, encoded again; below 20 it is another one."""

Pictures = list[bytes]
"""Brightness, one byte a pixel."""


def pictures(file: Path, *options: str, size: str = "160x90", filters: str = "null") -> Pictures:
    """Every decoded picture of a file, scaled to one size. `options` stand before it, as for an input."""
    width, height = map(int, size.split("x"))
    decoded = _decoded(
        *options, "-i", str(file), "-an", "-vf", f"{filters},scale={width}:{height},format=gray",
        "-fps_mode", "passthrough", "-f", "rawvideo",
    )  # fmt: skip
    return [decoded[at : at + width * height] for at in range(0, len(decoded), width * height)]


def psnr(one: bytes, other: bytes) -> float:
    errors = sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / len(one)
    return 100.0 if errors == 0 else 10 * math.log10(255**2 / errors)


def assert_alike(made: Sequence[bytes], reference: Sequence[bytes]) -> None:
    assert len(made) == len(reference)
    worst = min(psnr(one, other) for one, other in zip(made, reference, strict=True))
    assert worst > SAME


def samples(file: Path, *options: str) -> array.array[int]:
    """Of the first channel, without what the encoder put in front of them."""
    decoded = _decoded(*options, "-i", str(file), "-vn", "-map", "0:a:0", "-ac", "1", "-f", "s16le")
    return array.array("h", decoded)


def loudness(sound: Sequence[int]) -> float:
    """Root mean square; 0 is silence."""
    return math.sqrt(sum(sample * sample for sample in sound) / max(1, len(sound)))


def pitch(sound: Sequence[int], rate: int) -> float:
    """Of a plain tone, in hertz: how often it rises through zero."""
    rises = sum(a < 0 <= b for a, b in pairwise(sound))
    return rises * rate / max(1, len(sound))


def woven_share(file: Path) -> float:
    """How many of the pictures that could be told are woven of two fields, as ffmpeg's idet sees them."""
    command = ["ffmpeg", "-hide_banner", "-i", str(file), "-an", "-vf", "idet", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stderr
    line = next(line for line in said.splitlines() if "Multi frame detection" in line)
    counts = dict(zip(("TFF", "BFF", "Progressive"), _numbers(line.split("detection:")[1]), strict=False))
    told = sum(counts.values())
    return (counts["TFF"] + counts["BFF"]) / told if told else 0.0


def counted(file: Path) -> int:
    """Pictures in a file, decoded."""
    return int(ffprobe(file, "-select_streams", "v:0", "-count_frames")["streams"][0]["nb_read_frames"])


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split() if word.isdigit()]


def _decoded(*options: str) -> bytes:
    command = ["ffmpeg", "-v", "error", *options, "-"]
    return subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL).stdout
