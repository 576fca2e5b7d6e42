"""Frame rates as exact fractions: of inputs, whose containers round them, and of outputs."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from shared.jobspec import VideoCodec, VideoSettings

NOMINAL: Final = {
    "10": Fraction(10),
    "15": Fraction(15),
    "23.97": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "50": Fraction(50),
    "60": Fraction(60),
}
"""What the names in presets mean."""

HIGHEST: Final = Fraction(60)
"""Of an output that neither names a rate nor a bound."""

HIGHEST_OF_GIF: Final = Fraction(50)
"""Its time goes in hundredths, and players show for a tenth what is to be shown for less than two of them."""
_COMMON: Final = (*NOMINAL.values(), Fraction(12), Fraction(48), Fraction(60000, 1001), Fraction(120))
_FALLBACK: Final = Fraction(25)
_LEAST_PRESENT: Final = Fraction(2, 3)
"""Of the pictures of a base rate; it is twice the average where it counts fields."""


def constant_rate(*, average: Fraction | None, base: Fraction | None) -> Fraction:
    """The rate a constant-rate copy should have.

    The average is true also for phones' variable rates; the base rate may count fields or clock ticks. An average within
    half a percent of a common rate is that rate: containers round durations (and Matroska the base rate, in its last
    digits). A base rate that is common, and from which
    pictures are missing here and there, is what a phone aimed at: at any other rate, those that are there would stutter.
    """
    if average is None:
        return base if base is not None and base <= 120 else _FALLBACK
    if base is not None and _is_near(average, base, 1000):
        return _nearest(base) if _is_near(base, _nearest(base), 100_000) else base
    aimed = base and _nearest(base)
    if base and aimed and _is_near(base, aimed, 200) and aimed * _LEAST_PRESENT < average < aimed:
        return aimed
    nearest = _nearest(average)
    return nearest if _is_near(average, nearest, 200) else average.limit_denominator(1001)


def output_rate(video: VideoSettings, source: Fraction) -> Fraction:
    """The named rate; or the source's, divided by a whole number where it is above the bound."""
    if video.frame_rate != "auto":
        return NOMINAL[video.frame_rate]
    bound = NOMINAL[video.max_frame_rate] if video.max_frame_rate else HIGHEST
    if video.codec is VideoCodec.GIF:
        bound = min(bound, HIGHEST_OF_GIF)
    return source / max(1, math.ceil(source / bound))


def _nearest(rate: Fraction) -> Fraction:
    return min(_COMMON, key=lambda common: abs(common - rate))


def _is_near(one: Fraction, other: Fraction, parts: int) -> bool:
    return abs(one - other) * parts <= other
