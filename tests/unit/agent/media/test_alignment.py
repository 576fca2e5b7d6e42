"""Renditions of a playlist start their segments at the same pictures, and end together."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from agent.media import Device, MediaFacts, PlannedOutput, plan
from agent.media.framerate import NOMINAL
from shared.jobspec import PlaylistFormat
from shared.protocol import OutputSpec
from tests.unit.agent.media.builders import AUDIO, a_movie, a_playlist, a_task, an_output, settings

NTSC = Fraction(30000, 1001)
SOURCE = a_movie(frame_rate=Fraction(60))
SOUND_LASTS = a_movie(duration=50.0)
PICTURE_LASTS = a_movie(audio=replace(AUDIO, duration=50.0))


def a_rendition(index: int, rate: str, seconds: float | None = 6.0) -> OutputSpec:
    chosen = settings(container="ts", video={"codec": "h264", "frame_rate": rate}, audio={"codec": "aac"})
    return an_output(chosen, index, segment_duration=seconds)


def together(*outputs: OutputSpec, form: PlaylistFormat = PlaylistFormat.HLS_V3) -> tuple[PlannedOutput, ...]:
    task = a_task(*outputs, playlists=(a_playlist(form, *(output.index for output in outputs)),))
    return alone(*outputs, playlists=task.playlists)


def alone(
    *outputs: OutputSpec,
    playlists: tuple = (),  # type: ignore[type-arg]
    source: MediaFacts = SOURCE,
) -> tuple[PlannedOutput, ...]:
    task = a_task(*outputs, playlists=playlists)
    (only,) = plan(task, (source,), device=Device.CPU, threads=2).passes
    return only.outputs


def test_a_segment_is_a_whole_number_of_pictures() -> None:
    assert [output.every for output in alone(a_rendition(0, "29.97"), a_rendition(1, "25"))] == [180 / NTSC, 6]


def test_rates_that_divide_share_their_boundaries() -> None:
    assert {output.every for output in together(a_rendition(0, "30"), a_rendition(1, "15"))} == {6}
    assert {output.every for output in together(a_rendition(0, "60", 1.05), a_rendition(1, "10", 1.05))} == {1}


def test_rates_with_a_common_divisor_share_their_boundaries() -> None:
    assert {output.every for output in together(a_rendition(0, "24"), a_rendition(1, "30"))} == {6}
    assert {output.every for output in together(a_rendition(0, "23.97"), a_rendition(1, "29.97"))} == {180 / NTSC}


def test_rates_without_one_keep_their_own() -> None:
    assert [output.every for output in together(a_rendition(0, "25"), a_rendition(1, "29.97"))] == [6, 180 / NTSC]


def test_sound_beside_them_is_cut_as_the_job_says() -> None:
    sound = an_output(settings(container="ts", audio={"codec": "aac"}), 2, segment_duration=6.0)
    assert together(a_rendition(0, "25"), a_rendition(1, "29.97"), sound)[2].every == 6


def test_sound_alone_is_cut_where_the_pictures_are() -> None:
    sound = an_output(settings(container="ts", audio={"codec": "aac"}), 1, segment_duration=6.0)
    assert {output.every for output in together(a_rendition(0, "29.97"), sound)} == {180 / NTSC}
    assert alone(sound.model_copy(update={"index": 0}))[0].every == 6


def test_groups_of_pictures_that_differ_are_cut_to_the_shortest() -> None:
    def fragmented(index: int, rate: str) -> OutputSpec:
        video = {"codec": "h264", "fixed_gop": True, "keyframes_max_distance": 60, "frame_rate": rate}
        return an_output(settings(container="fmp4", video=video), index)

    both = together(fragmented(0, "60"), fragmented(1, "30"), form=PlaylistFormat.MPEG_DASH)
    assert {output.every for output in both} == {1}
    same = together(fragmented(0, "30"), fragmented(1, "30"), form=PlaylistFormat.MPEG_DASH)
    assert {output.every for output in same} == {None}


def test_what_is_fetched_in_parts_has_picture_and_sound_to_its_end() -> None:
    [output] = alone(a_rendition(0, "25"), source=SOUND_LASTS)
    assert output.video is not None
    assert output.audio is not None
    assert (output.video.held, output.video.seconds, output.audio.filled) == (125, 55.0, None)
    [output] = alone(a_rendition(0, "25"), source=PICTURE_LASTS)
    assert output.video is not None
    assert output.audio is not None
    assert (output.video.held, output.audio.filled, output.audio.seconds) == (0, 55.0, 55.0)


def test_sound_apart_and_silent_pictures_end_together() -> None:
    picture = an_output(settings(container="ts", video={"codec": "h264", "frame_rate": "25"}), segment_duration=6.0)
    sound = an_output(settings(container="ts", audio={"codec": "aac"}), 1, segment_duration=6.0)
    playlists = (a_playlist(PlaylistFormat.HLS_V4, 0, 1),)
    silent, heard = alone(picture, sound, playlists=playlists, source=SOUND_LASTS)
    assert silent.video is not None
    assert (silent.video.held, silent.seconds, heard.seconds) == (125, 55.0, 55.0)
    silent, heard = alone(picture, sound, source=SOUND_LASTS)
    assert (silent.seconds, heard.seconds) == (50.0, 55.0), "no playlist wants them to"


def test_other_files_are_as_long_as_what_they_are_made_of() -> None:
    [output] = alone(an_output("000010"), source=SOUND_LASTS)
    assert output.video is not None
    assert (output.video.held, output.video.seconds) == (0, 50.0)
    unknown = replace(SOUND_LASTS, duration_is_exact=False)
    [output] = alone(a_rendition(0, "25"), source=unknown)
    assert output.video is not None
    assert (output.video.held, output.video.seconds) == (0, None)


@given(
    st.lists(st.sampled_from(sorted(NOMINAL)), min_size=1, max_size=4),
    st.integers(100, 6000).map(lambda hundredths: hundredths / 100),
)
def test_every_boundary_is_a_picture_of_its_rendition(rates: list[str], seconds: float) -> None:
    for output in together(*(a_rendition(index, rate, seconds) for index, rate in enumerate(rates))):
        assert output.every is not None
        assert output.picture is not None
        assert (output.every * output.picture.rate).denominator == 1
        assert abs(output.every - Fraction(str(seconds))) <= Fraction(str(seconds)) / 10
