"""Frame rates: what containers say made exact, and what settings make of it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from agent.media.framerate import constant_rate, output_rate
from shared.jobspec import VideoSettings

NTSC = Fraction(30000, 1001)


def chosen(source: Fraction, **fields: Any) -> Fraction:
    return output_rate(VideoSettings.model_validate({"codec": "h264", **fields}, strict=False), source)


@pytest.mark.parametrize(
    ("average", "base", "rate"),
    [
        (Fraction(24), Fraction(24), Fraction(24)),
        (Fraction(2997, 100), NTSC, NTSC),
        (Fraction(19001, 317), Fraction(19001, 317), Fraction(60000, 1001)),  # of Matroska
        (Fraction(25), Fraction(50), Fraction(25)),  # the base rate of interlaced video may count fields
        (Fraction(2968, 100), Fraction(90000), Fraction(742, 25)),  # a phone's
        (Fraction(369000, 13657), Fraction(90000, 2999), Fraction(30)),  # another phone's, with gaps
        (Fraction(1249, 50), Fraction(1000), Fraction(25)),
        (None, Fraction(90000), Fraction(25)),
        (None, None, Fraction(25)),
    ],
)
def test_the_rate_of_a_source_is_the_average_made_exact(
    average: Fraction | None, base: Fraction | None, rate: Fraction
) -> None:
    assert constant_rate(average=average, base=base) == rate


def test_a_named_rate_is_exact() -> None:
    assert chosen(Fraction(24), frame_rate="29.97") == NTSC
    assert chosen(Fraction(24), frame_rate="23.97") == Fraction(24000, 1001)


def test_without_a_name_the_source_decides_up_to_the_bound() -> None:
    assert chosen(Fraction(24), max_frame_rate="60") == 24
    assert chosen(Fraction(60), max_frame_rate="30") == 30
    assert chosen(Fraction(120), max_frame_rate="50") == 40  # a whole number of frames is left out
    assert chosen(Fraction(120)) == 60


def test_a_gif_has_no_pictures_that_players_would_slow_down() -> None:
    assert chosen(Fraction(60), codec="gif") == 30
    assert chosen(Fraction(50), codec="gif", max_frame_rate="60") == 50
