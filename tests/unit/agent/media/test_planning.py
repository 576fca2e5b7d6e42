"""Which passes there are, what is refused, and what each output is planned to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.media import Device, MediaFacts, PlannedOutput, plan, split
from shared.failures import Cause, FailureCode
from shared.presets import SYSTEM_PRESETS
from tests.unit.agent.media.builders import MOVIE, a_movie, a_sound, a_task, an_output, settings, thumbnails


def planned(*outputs: Any, facts: MediaFacts = MOVIE) -> list[PlannedOutput]:
    return [o for p in plan(a_task(*outputs), (facts,), device=Device.CPU, threads=2).passes for o in p.outputs]


def test_all_outputs_share_one_decode() -> None:
    result = plan(a_task(an_output("000010"), an_output("100240", 1)), (MOVIE,), device=Device.CPU, threads=2)
    [only] = result.passes
    assert [output.index for output in only.outputs] == [0, 1]
    assert only.duration == 55.0
    assert only.argv.count("-i") == 1


def test_each_output_of_av1_has_a_process_for_itself() -> None:
    av1 = settings(container="webm", video={"codec": "av1"})
    result = plan(
        a_task(an_output(av1), an_output("100240", 1), an_output(av1, 2)), (MOVIE,), device=Device.CPU, threads=2
    )
    assert [[output.index for output in made.outputs] for made in result.passes] == [[1], [0], [2]]


def test_a_split_pass_is_one_pass_per_output() -> None:
    task = a_task(an_output("000010"), an_output("100240", 1, thumbnails=thumbnails()))
    [only] = plan(task, (MOVIE,), device=Device.CPU, threads=2).passes
    first, second = split(only)
    [alone] = plan(a_task(an_output("000010")), (MOVIE,), device=Device.CPU, threads=2).passes
    assert first.argv == alone.argv
    assert [output.index for output in second.outputs] == [1]
    assert "file:out/t1_%05d.png" in second.argv


def test_video_from_sound_and_sound_from_silence_are_refused_and_nothing_else() -> None:
    silent = plan(
        a_task(an_output("300010"), an_output("000010", 1)), (a_movie(audio=None),), device=Device.CPU, threads=2
    )
    blind = plan(a_task(an_output("300010"), an_output("000010", 1)), (a_sound(),), device=Device.CPU, threads=2)
    for result, refused in ((silent, 0), (blind, 1)):
        failure = result.refused[refused]
        assert list(result.refused) == [refused]
        assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.PRESET_MISMATCH)
        assert [output.index for output in result.passes[0].outputs] == [1 - refused]


def test_a_silent_movie_becomes_a_silent_output() -> None:
    [output] = planned(an_output("000010"), facts=a_movie(audio=None))
    assert output.audio is None


def test_nothing_to_do_is_no_pass() -> None:
    assert plan(a_task(an_output("300010")), (a_movie(audio=None),), device=Device.CPU, threads=2).passes == ()


def test_no_channels_is_no_sound() -> None:
    mute = settings(container="mp4", video={"codec": "h264"}, audio={"codec": "aac", "channels": 0})
    [output] = planned(an_output(mute))
    assert output.audio is None


@pytest.mark.parametrize(("packing", "tracks"), [("OneChannelPerTrack", 2), ("OneChannelPerTrackWithMosTo8Tracks", 8)])
def test_channels_become_tracks(packing: str, tracks: int) -> None:
    mxf = settings(container="mxf", video={"codec": "mpeg2"}, audio={"codec": "pcm", "packing_mode": packing})
    [output] = planned(an_output(mxf))
    assert output.audio is not None
    assert (output.audio.tracks, output.audio.channels) == (tracks, 1)


def test_mpeg2_gets_the_nearest_rate_that_it_has() -> None:
    [output] = planned(an_output(settings(container="ts", video={"codec": "mpeg2"})), facts=a_movie(frame_rate=12))
    assert output.picture is not None
    assert float(output.picture.rate) == pytest.approx(23.976, abs=0.001)


@pytest.mark.parametrize(("codec", "least"), [("hevc", 16), ("av1", 64), ("h264", 0)])
def test_a_picture_too_small_for_its_encoder_is_refused_alone(codec: str, least: int) -> None:
    fits = an_output(settings(container="mp4", video={"codec": codec, "max_width": 128, "sizing_policy": "Fit"}))
    shrinks = an_output(settings(container="mp4", video={"codec": codec}), 1)
    speck = a_movie(width=8, height=8)
    result = plan(a_task(fits, shrinks), (speck,), device=Device.CPU, threads=2)
    assert [failure.code for failure in result.refused.values()] == [FailureCode.PRESET_MISMATCH] * bool(least)
    assert all(f"at least {least}" in failure.message for failure in result.refused.values())
    assert list(result.refused) == [1] * bool(least)


def test_only_transport_streams_are_segmented() -> None:
    segmented, whole = planned(an_output("200010", segment_duration=6.0), an_output("500020", 1, segment_duration=6.0))
    assert (segmented.is_segmented, segmented.file) == (True, "o0.m3u8")
    assert (whole.is_segmented, whole.file) == (False, "o1.mp4")


def test_an_output_lasts_as_long_as_its_longest_stream() -> None:
    facts = replace(MOVIE, audio=replace(a_sound().audio, duration=52.2))  # type: ignore[type-var]
    both, sound = planned(an_output("000010"), an_output("300010", 1), facts=facts)
    assert (both.seconds, sound.seconds) == (55.0, 52.2)


def test_what_nobody_counted_is_not_planned() -> None:
    [output] = planned(an_output("000010", thumbnails=thumbnails()), facts=replace(MOVIE, duration_is_exact=False))
    assert output.seconds is None
    assert output.thumbnails is not None
    assert output.thumbnails.count is None


def test_what_edits_leave_out_is_not_planned() -> None:
    [output] = planned(an_output("000010"), facts=replace(MOVIE, duration=50.0))
    assert output.seconds == 50.0


@pytest.mark.parametrize(("seconds", "count"), [(55.0, 6), (60.0, 6), (60.5, 7), (3.0, 1)])
def test_thumbnails_are_counted_from_zero(seconds: float, count: int) -> None:
    facts = replace(a_movie(duration=seconds), duration=seconds)
    [output] = planned(an_output("000010", thumbnails=thumbnails(10)), facts=facts)
    assert output.thumbnails is not None
    assert output.thumbnails.count == count


@pytest.mark.parametrize("device", Device)
@pytest.mark.parametrize("preset_id", SYSTEM_PRESETS)
def test_every_system_preset_has_a_plan(preset_id: Any, device: Device) -> None:
    task = a_task(an_output(SYSTEM_PRESETS[preset_id].settings))
    [only] = plan(task, (MOVIE,), device=device, threads=4).passes
    assert only.argv[0] == "ffmpeg"


@given(st.text())
def test_no_word_of_a_tenant_is_in_a_command_line(text: str) -> None:
    one, other = (
        a_task(
            an_output(
                "200010", key=key, segment_duration=6.0, thumbnails=thumbnails().model_copy(update={"pattern": key})
            )
        )
        for key in ("key", text)
    )
    assert (
        plan(one, (MOVIE,), device=Device.CPU, threads=2).passes[0].argv
        == plan(other, (MOVIE,), device=Device.CPU, threads=2).passes[0].argv
    )
