"""What inputs are together: their canvas, their clips and hints, and where each of them lies in the whole."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.media import Device, MediaFacts, plan, stretches
from agent.media.counting import counted, needs_counting
from agent.media.hints import hinted
from agent.media.interlacing import Woven, needs_a_look, parse_idet, settled
from agent.media.planning.programme import Part, beyond_end, clipped, programme
from agent.sandbox.launcher import ORDER_SIZE
from shared.failures import Failure, FailureCode
from shared.protocol import PartSpec, Span
from tests.unit.agent.media.builders import MOVIE, a_movie, a_sound, a_task, an_output, parts


def a_part(facts: MediaFacts = MOVIE, **fields: Any) -> Part:
    return Part(0, facts, **fields)


def lasting(seconds: float, **video: Any) -> MediaFacts:
    facts = a_movie(duration=seconds, **video)
    return replace(facts, duration=seconds, audio=facts.audio and replace(facts.audio, duration=seconds))


def test_one_input_is_its_own_programme() -> None:
    shown = programme((a_part(),))
    assert shown.whole is MOVIE
    assert not shown.is_stitched
    assert not shown.is_cut


@pytest.mark.parametrize(
    ("sizes", "canvas"),
    [
        ([(1280, 720), (1920, 1080)], "1920x1080"),
        ([(1280, 720), (640, 360)], "1280x720"),
        ([(1280, 720), (1440, 1080)], "1440x810"),
        ([(1280, 720), (1080, 1920)], "1280x720"),
        ([(1080, 1920), (1920, 1080)], "1080x1920"),
    ],
)
def test_the_canvas_has_the_first_shape_and_the_size_of_what_fills_it(
    sizes: list[tuple[int, int]], canvas: str
) -> None:
    shown = programme(tuple(a_part(a_movie(width=width, height=height)) for width, height in sizes))
    assert shown.canvas is not None
    assert str(shown.canvas.size) == canvas


def test_nothing_of_a_part_is_lost_to_the_rates_of_the_others() -> None:
    sound = replace(a_movie(frame_rate=Fraction(50)), audio=replace(a_sound().audio, channels=6, sample_rate=44100))  # type: ignore[type-var]
    shown = programme((a_part(), a_part(sound)))
    assert shown.whole.video is not None
    assert shown.whole.video.frame_rate == 50
    assert shown.bed is not None
    assert (shown.bed.channels, shown.bed.sample_rate) == (6, 48000)


@given(st.lists(st.floats(min_value=0.05, max_value=30), min_size=2, max_size=30))
def test_parts_are_whole_pictures_and_nowhere_further_off_than_half_of_one(lengths: list[float]) -> None:
    shown = programme(tuple(a_part(lasting(seconds)) for seconds in lengths))
    frames = shown.frames()
    assert shown.whole.duration == pytest.approx(sum(frames) / 24)
    for seconds, count in zip(lengths, frames, strict=True):
        assert abs(count / 24 - seconds) <= 0.5 / 24 + 1e-9


@pytest.mark.parametrize(("start", "is_beyond"), [(9.9, False), (9.958, False), (9.97, True), (10, True), (0, False)])
def test_after_the_last_picture_has_begun_no_clip_begins(start: float, is_beyond: bool) -> None:
    failure = beyond_end([a_part(lasting(10), start=start)])
    assert (failure is not None and failure.code is FailureCode.CLIP_BEYOND_END) is is_beyond


def test_a_clip_of_a_thousandth_of_a_second_has_its_picture() -> None:
    assert a_part(lasting(10), take=0.001).facts.video is not None


@given(st.floats(min_value=0, max_value=200), st.floats(min_value=0.1, max_value=200) | st.none())
def test_a_clip_lasts_as_long_as_it_says_or_as_there_is(start: float, duration: float | None) -> None:
    shown = programme(tuple(a_part(lasting(seconds)) for seconds in (30, 40, 50)))
    stretch = clipped(shown, Span(start=start, duration=duration))
    if start > 120 - 1 / 24 + 0.0005:  # the last picture has begun
        assert isinstance(stretch, Failure)
        assert stretch.code is FailureCode.CLIP_BEYOND_END
        return
    assert not isinstance(stretch, Failure)
    wanted = min(120 - start, 1e9 if duration is None else duration)
    assert stretch.whole.duration == pytest.approx(wanted, abs=1.6 / 24 * len(stretch.parts))
    assert stretch.canvas == shown.canvas


def test_captions_are_told_where_each_input_lies() -> None:
    task = a_task(an_output("000010"), parts=(PartSpec(), PartSpec(source=2, clip=Span(start=5, duration=2))))
    (_, _, first), (place, _, second) = stretches(task, (lasting(3), lasting(20)))
    assert (first.start, first.begin, first.length) == (0, 0, 3000)
    assert place == 2
    assert (second.start, second.begin, second.length) == (3000, 5000, 2000)


def test_few_inputs_are_read_at_once_and_many_in_groups_that_feed_another_process() -> None:
    def groups(count: int, **video: Any) -> list[int]:
        task = a_task(an_output("000010"), parts=parts(count))
        [only] = plan(task, (a_movie(**video),) * count, device=Device.CPU, threads=2).passes
        assert len(only.steps) == 1
        return [command.count("-i") for command in only.feeders.commands] if only.feeders else []

    assert [groups(2), groups(64), groups(65), groups(200)] == [[], [], [64, 1], [64, 64, 64, 8]]
    assert groups(20, width=3840, height=2160) == [9, 9, 2]


def test_lengths_of_groups_are_rounded_once_and_not_once_each() -> None:
    facts = (lasting(1.0, frame_rate=Fraction(30000, 1001)),) * 200
    [only] = plan(a_task(an_output("000010"), parts=parts(200)), facts, device=Device.CPU, threads=2).passes
    assert only.feeders is not None
    assert only.feeders.listed.splitlines() == [
        "ffconcat version 1.0",
        *("file joined0", "duration 64064000us"),
        *("file joined1", "duration 64064000us"),
        *("file joined2", "duration 64064000us"),
        *("file joined3", "duration 8008000us"),
    ]


def test_no_command_line_is_too_long_for_a_process_or_an_order_to_a_unit() -> None:
    facts = (a_movie(rotation=90, interlaced=True, full_range=True, color_space="smpte170m"),) * 200
    task = a_task(*(an_output("000010", index) for index in range(30)), parts=parts(200))
    [only] = plan(task, facts, device=Device.CPU, threads=2).passes
    assert only.feeders is not None
    assert len(only.feeders.commands) == 4
    assert max(len(json.dumps(step)) for step in (*only.steps, *only.feeders.commands)) < ORDER_SIZE


def test_hints_go_before_what_the_file_says() -> None:
    facts = hinted(a_movie(rotation=90), PartSpec(aspect_ratio="1:1", frame_rate="30", resolution="600x800"))
    assert facts.video is not None
    assert (facts.video.shown_width, facts.video.shown_height) == (600, 800)
    assert facts.video.shown_width * facts.video.shown_pixel_aspect == 800
    assert (facts.video.frame_rate, facts.video.duration) == (30, 44)


@pytest.mark.parametrize(
    ("said", "flagged", "seen", "interlaced"),
    [
        ("auto", True, Woven(8, 0, 0), True),
        ("auto", True, Woven(0, 0, 46), False),
        ("auto", True, Woven(0, 0, 0), True),
        ("auto", False, None, False),
        (True, False, Woven(0, 9, 1), True),
        (False, True, None, False),
    ],
)
def test_the_flag_and_the_pictures_decide_together(
    said: Any, flagged: bool, seen: Woven | None, interlaced: bool
) -> None:
    facts = a_movie(interlaced=flagged)
    assert needs_a_look(facts, said) is (seen is not None)
    video = settled(facts, said, seen).video
    assert video is not None
    assert video.interlaced is interlaced
    assert video.parity == ("bff" if said is True else "auto")


def test_counters_are_read_as_they_were_last() -> None:
    told = (
        b"frame:0\nlavfi.idet.multiple.tff=1.00\nlavfi.idet.multiple.progressive=0.00\nlavfi.idet.multiple.tff=12.00\n"
    )
    assert parse_idet(told) == Woven(12, 0, 0)


def test_lengths_are_counted_where_they_matter() -> None:
    guessed, unknown = replace(MOVIE, duration_is_exact=False), replace(MOVIE, duration=None)
    assert [needs_counting(facts, is_cut=False) for facts in (MOVIE, guessed, unknown)] == [False, False, True]
    assert [needs_counting(facts, is_cut=True) for facts in (MOVIE, guessed, unknown)] == [False, True, True]
    known = counted(
        unknown, b"frame=10\nout_time_us=1\nprogress=continue\nframe=50\nout_time_us=2080000\nprogress=end\n"
    )
    assert (known.duration, known.duration_is_exact) == (2.08, True)
    bare = counted(replace(unknown, format="h264"), b"frame=48\nout_time_us=1900000\n")
    assert bare.duration == 2.0
