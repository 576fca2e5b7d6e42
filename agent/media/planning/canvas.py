"""What stitched inputs have in common, so that one can follow another in one picture and one sound.

The canvas has the shape of the first picture and square pixels. It is as large as the largest that any of them fills: none is
shrunk that has its shape, and one of another shape is shown whole, between black bars, without making all of it larger. Its
rate is the highest, its colours are those of the first. Sound has the most channels and the highest rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from agent.media import argv
from agent.media.facts import AudioFacts, VideoFacts
from agent.media.filters import Matrix, high_dynamic_range, joining, matrix_of
from agent.media.framerate import HIGHEST
from agent.media.sizing import Size, natural

_PLAIN: Final = "yuv420p"


@dataclass(frozen=True)
class Canvas:
    size: Size
    rate: Fraction
    pix_fmt: str
    matrix: Matrix
    primaries: str | None = None
    transfer: str | None = None
    """Where all of it is brighter than ordinary pictures: then none is mapped before its output is."""

    @property
    def is_hdr(self) -> bool:
        return self.transfer is not None


@dataclass(frozen=True)
class Bed:
    """The same for sound."""

    sample_rate: int
    channels: int


def canvas(pictures: Sequence[VideoFacts]) -> Canvas | None:
    if not pictures:
        return None
    formats = {(picture.pix_fmt, high_dynamic_range(picture)) for picture in pictures}
    pix_fmt, hdr = formats.pop()
    is_kept = not formats and pix_fmt in _KEPT
    return Canvas(
        size=_size(pictures),
        rate=min(HIGHEST, max(picture.frame_rate for picture in pictures)),
        pix_fmt=pix_fmt if is_kept else _PLAIN,
        matrix=matrix_of(pictures[0]) if is_kept or high_dynamic_range(pictures[0]) is None else Matrix.BT709,
        primaries=hdr.primaries if is_kept and hdr else None,
        transfer=hdr.transfer if is_kept and hdr else None,
    )


_KEPT: Final = frozenset({"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"})
"""Formats in which pictures stay when all of them have one."""


def bed(sounds: Sequence[AudioFacts]) -> Bed | None:
    if not sounds:
        return None
    return Bed(
        sample_rate=max(sound.sample_rate for sound in sounds),
        channels=min(joining.MOST_CHANNELS, max(sound.channels for sound in sounds)),
    )


def _size(pictures: Sequence[VideoFacts]) -> Size:
    upright = [natural(Size(p.shown_width, p.shown_height), p.shown_pixel_aspect) for p in pictures]
    width, height = upright[0]
    shape = width / height
    tallest = max(min(down, across / shape) for across, down in upright)
    while tallest * tallest * shape > argv.MAX_PIXELS:
        tallest /= 2
    return Size(_even(tallest * shape), _even(tallest))


def _even(length: Fraction | int) -> int:
    return max(2, round(length / 2) * 2)
