"""Sizing policies: the published examples, and what holds for every source and every box."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.media.sizing import Size, Sizing, of_thumbnails, of_video
from shared.jobspec import PaddingPolicy, SizingPolicy, ThumbnailSettings, VideoSettings

SQUARE = Fraction(1)
NEVER_LARGER = (SizingPolicy.SHRINK_TO_FIT, SizingPolicy.SHRINK_TO_FILL, SizingPolicy.KEEP)


def sized(
    source: str, box: str, policy: str, padding: str = "NoPad", *, pixel_aspect: Fraction = SQUARE, **fields: Any
) -> Sizing:
    width, height = map(int, box.split("x"))
    video = VideoSettings.model_validate(
        {
            "codec": "h264",
            "max_width": width,
            "max_height": height,
            "sizing_policy": policy,
            "padding_policy": padding,
            **fields,
        },
        strict=False,
    )
    return of_video(video, size(source), pixel_aspect)


def size(text: str) -> Size:
    width, height = map(int, text.split("x"))
    return Size(width, height)


@pytest.mark.parametrize(
    ("policy", "source", "box", "scaled"),
    [
        ("Fit", "1280x720", "640x640", "640x360"),
        ("Fit", "320x180", "640x640", "640x360"),
        ("ShrinkToFit", "1280x720", "640x640", "640x360"),
        ("ShrinkToFit", "320x180", "640x640", "320x180"),
        ("Fill", "1280x720", "640x640", "640x640"),
        ("Fill", "320x180", "640x640", "640x640"),
        ("ShrinkToFill", "1280x720", "640x640", "640x640"),
        ("ShrinkToFill", "320x180", "640x640", "320x180"),
        ("ShrinkToFill", "1280x480", "640x640", "640x480"),
        ("Stretch", "1280x720", "640x640", "640x640"),
        ("Keep", "1280x720", "640x640", "640x640"),
        ("Keep", "320x180", "640x640", "320x180"),
    ],
)
def test_a_policy_scales_as_published(policy: str, source: str, box: str, scaled: str) -> None:
    result = sized(source, box, policy)
    assert result.scaled == result.frame == size(scaled)


def test_only_what_would_stick_out_is_cropped() -> None:
    assert sized("1280x720", "640x640", "Fill").cropped == size("720x720")
    assert sized("1280x720", "640x640", "Keep").cropped == size("640x640")
    assert sized("1280x720", "640x640", "Fit").cropped == size("1280x720")


def test_padding_fills_the_box() -> None:
    padded = sized("1280x720", "640x640", "Fit", "Pad")
    assert (padded.scaled, padded.frame, padded.pads) == (size("640x360"), size("640x640"), True)


def test_a_display_aspect_ratio_makes_pixels_oblong() -> None:
    dvd = sized("1280x720", "720x480", "ShrinkToFill", "Pad", display_aspect_ratio="16:9")
    assert dvd.frame == size("720x480")
    assert dvd.pixel_aspect == Fraction(32, 27)
    assert not dvd.crops


def test_oblong_pixels_become_square() -> None:
    assert sized("176x144", "1920x1080", "ShrinkToFit", pixel_aspect=Fraction(128, 117)).scaled == size("192x144")


def test_thumbnails_may_be_odd() -> None:
    settings = ThumbnailSettings(max_width=101, max_height=101)
    assert of_thumbnails(settings, size("1280x720"), SQUARE).frame == size("101x57")


lengths = st.integers(16, 8192)
even = st.integers(8, 2048).map(lambda half: 2 * half)
policies = st.sampled_from(SizingPolicy)
shapes = st.fractions(Fraction(1, 64), 64, max_denominator=128)


@given(st.builds(Size, lengths, lengths), st.builds(Size, even, even), policies, st.sampled_from(PaddingPolicy), shapes)
def test_every_frame_is_even_and_within_the_box(
    source: Size, box: Size, policy: SizingPolicy, padding: PaddingPolicy, pixel_aspect: Fraction
) -> None:
    result = sized(str(source), str(box), policy, padding, pixel_aspect=pixel_aspect)
    for length in (result.scaled.width, result.scaled.height, result.frame.width, result.frame.height):
        assert length >= 2
        assert length % 2 == 0
    assert result.scaled.width <= result.frame.width <= box.width
    assert result.scaled.height <= result.frame.height <= box.height
    assert 0 < result.cropped.width <= source.width
    assert 0 < result.cropped.height <= source.height
    if padding is PaddingPolicy.PAD:
        assert result.frame == box


@given(st.builds(Size, lengths, lengths), st.builds(Size, even, even))
def test_filling_and_stretching_reach_the_box(source: Size, box: Size) -> None:
    assert sized(str(source), str(box), "Fill").scaled == box
    assert sized(str(source), str(box), "Stretch").scaled == box


@given(st.builds(Size, lengths, lengths), st.builds(Size, even, even))
def test_fitting_touches_the_box_and_cuts_nothing_off(source: Size, box: Size) -> None:
    result = sized(str(source), str(box), "Fit")
    assert result.scaled.width == box.width or result.scaled.height == box.height
    assert not result.crops


@given(st.builds(Size, lengths, lengths), st.builds(Size, even, even), st.sampled_from(NEVER_LARGER))
def test_shrinking_and_keeping_never_enlarge(source: Size, box: Size, policy: SizingPolicy) -> None:
    result = sized(str(source), str(box), policy)
    assert result.scaled.width <= source.width + 1
    assert result.scaled.height <= source.height + 1


@pytest.mark.parametrize(
    ("resolution", "aspect_ratio", "source", "scaled", "frame", "pixel"),
    [
        ("640x480", None, "1280x720", "640x480", "640x480", Fraction(4, 3)),
        ("640x480", "auto", "1280x720", "640x480", "640x480", Fraction(4, 3)),
        ("640x480", "4:3", "1280x720", "640x360", "640x480", Fraction(1)),
        ("640x480", "16:9", "1280x720", "640x480", "640x480", Fraction(4, 3)),
        ("640x480", "16:9", "320x240", "480x480", "640x480", Fraction(4, 3)),
        (None, "4:3", "640x360", "640x360", "640x480", Fraction(1)),
        ("auto", "4:3", "640x360", "640x360", "640x480", Fraction(1)),
        ("auto", "16:9", "640x480", "640x480", "854x480", Fraction(1)),
        ("auto", "4:3", "3840x2160", "1440x810", "1440x1080", Fraction(1)),
        ("auto", "1:1", "720x1280", "608x1080", "1080x1080", Fraction(1)),
        ("auto", "auto", "3840x2160", "1920x1080", "1920x1080", Fraction(1)),
    ],
)
def test_the_deprecated_fields_size_as_they_did(
    resolution: str | None, aspect_ratio: str | None, source: str, scaled: str, frame: str, pixel: Fraction
) -> None:
    video = VideoSettings.model_validate(
        {"codec": "h264", "resolution": resolution, "aspect_ratio": aspect_ratio}, strict=False
    )
    result = of_video(video, size(source), SQUARE)
    assert (str(result.scaled), str(result.frame), result.pixel_aspect) == (scaled, frame, pixel)
    assert not result.crops


@given(
    source=st.builds(Size, st.integers(2, 4000), st.integers(2, 4000)),
    shape=st.sampled_from(("1:1", "4:3", "3:2", "16:9")),
)
def test_bars_give_a_frame_its_shape_and_no_more(source: Size, shape: str) -> None:
    video = VideoSettings.model_validate({"codec": "h264", "aspect_ratio": shape}, strict=False)
    result = of_video(video, source, SQUARE)
    across, down = map(int, shape.split(":"))
    assert abs(result.frame.width - Fraction(result.frame.height * across, down)) <= 4
    assert result.frame.width <= 1920
    assert result.frame.height <= 1080
    assert abs(result.frame.width - result.scaled.width) <= 4 or abs(result.frame.height - result.scaled.height) <= 4
    assert result.scaled.width <= result.frame.width
    assert result.scaled.height <= result.frame.height
