"""Stretches of inputs, and of all of them together: exact to the picture, however their container finds its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.failures import Cause, FailureCode
from shared.jobspec import PlaylistFormat
from shared.protocol import PartSpec, Span
from tests.fields import shows
from tests.media.comparing import assert_alike, pictures, pitch, samples
from tests.media.encoding import ffmpeg, transcoded
from tests.media.inputs.making import H264, PICTURE, SOUND, movie, tone
from tests.unit.agent.media.builders import a_playlist, a_task, an_output, parts, thumbnails

pytestmark = pytest.mark.media

CLIP = Span(start=1.48, duration=0.52)


@shows("inputs[].clip.start", "inputs[].clip.duration")
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "mpg", "webm"])
def test_a_clip_has_the_pictures_and_the_sound_of_its_stretch(tmp_path: Path, container: str) -> None:
    whole = movie(tmp_path / "whole.mp4", 3)
    source = tmp_path / f"a.{container}"
    coding = {"mpg": ("-c:v", "mpeg2video", "-q:v", "2"), "webm": ("-c:v", "libvpx", "-b:v", "2M", "-c:a", "libvorbis")}
    ffmpeg("-i", str(whole), "-c:a", "mp2", *coding.get(container, ("-c:v", "copy")), str(source))
    task = a_task(an_output(PICTURE), an_output(SOUND, 1), parts=(PartSpec(clip=CLIP),))
    made = transcoded(tmp_path / "job", source, task)
    assert made.failures == {}
    assert_alike(pictures(made.file()), pictures(whole)[37:50])
    assert made.outputs[0].duration == pytest.approx(0.52, abs=0.001)
    heard = samples(made.file(1))
    assert len(heard) == pytest.approx(0.52 * 48000, abs=1200)
    assert pitch(heard[1200:-1200], 48000) == pytest.approx(440, abs=5)
    assert made.report.inputs[0].duration == pytest.approx(3, abs=0.06)


def test_a_clip_may_end_where_its_input_does(tmp_path: Path) -> None:
    source = movie(tmp_path / "a.mp4", 1)
    task = a_task(
        an_output(PICTURE),
        parts=(PartSpec(clip=Span(start=0.6)), PartSpec(clip=Span(start=0.8, duration=60))),
    )
    made = transcoded(tmp_path / "job", source, task)
    reference = pictures(source)
    assert_alike(pictures(made.file()), reference[15:] + reference[20:])


@pytest.mark.parametrize("container", ["mp4", "ts", "mp3"])
def test_a_clip_that_starts_after_the_end_fails(tmp_path: Path, container: str) -> None:
    source = tmp_path / f"a.{container}"
    tone(source, 1, 440) if container == "mp3" else movie(source, 1)
    settings = SOUND if container == "mp3" else PICTURE
    task = a_task(an_output(settings), parts=(PartSpec(clip=Span(start=1.5, duration=1)),))
    failure = transcoded(tmp_path / "job", source, task).failures[0]
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.CLIP_BEYOND_END)
    assert failure.message.startswith("The clip of input 1 starts at 1.5 s, but there are only 1.")


@shows("outputs[].clip.start", "outputs[].clip.duration")
def test_outputs_show_their_own_stretch_of_all_inputs(tmp_path: Path) -> None:
    """Across the seam, within one input, all of it; one that starts after the end fails alone."""
    sources = [movie(tmp_path / "a.mp4", 1), movie(tmp_path / "b.mp4", 1, size="160x90", tone=880)]
    ffmpeg("-i", str(sources[1]), "-vf", "hflip", *H264, "-c:a", "copy", str(tmp_path / "c.mp4"))
    sources[1] = tmp_path / "c.mp4"
    task = a_task(
        an_output(PICTURE, 0, clip=Span(start=0.6, duration=0.8)),
        an_output(PICTURE, 1, clip=Span(start=1.2)),
        an_output(PICTURE, 2, thumbnails=thumbnails(1)),
        an_output(PICTURE, 3, clip=Span(start=2)),
        an_output(SOUND, 4, clip=Span(start=0.6, duration=0.8)),
        parts=parts(2),
    )
    made = transcoded(tmp_path / "job", sources, task)
    assert {index: failure.code for index, failure in made.failures.items()} == {3: FailureCode.CLIP_BEYOND_END}
    reference = pictures(sources[0]) + pictures(sources[1])
    assert_alike(pictures(made.file(0)), reference[15:35])
    assert_alike(pictures(made.file(1)), reference[30:])
    assert_alike(pictures(made.file(2)), reference)
    heard = samples(made.file(4))
    assert len(heard) == 38400
    assert pitch(heard[:19000], 48000) == pytest.approx(440, abs=4)
    assert pitch(heard[20000:], 48000) == pytest.approx(880, abs=4)


def test_a_clip_of_a_clip_is_counted_from_its_start(tmp_path: Path) -> None:
    source = movie(tmp_path / "a.mp4", 2)
    output = an_output(PICTURE, clip=Span(start=0.2, duration=0.4))
    made = transcoded(tmp_path / "job", source, a_task(output, parts=(PartSpec(clip=Span(start=0.8, duration=0.5)),)))
    assert_alike(pictures(made.file()), pictures(source)[25:33])


def test_renditions_of_a_clip_are_cut_alike(tmp_path: Path) -> None:
    source = movie(tmp_path / "a.mp4", 4)
    outputs = [an_output("200050", n, segment_duration=1.0, clip=Span(start=0.5, duration=2.5)) for n in range(2)]
    task = a_task(*outputs, playlists=(a_playlist(PlaylistFormat.HLS_V3, 0, 1),))
    made = transcoded(tmp_path / "job", source, task)
    assert made.failures == {}
    assert len([command for command in made.commands if "-progress" in command]) == 1
    first, second = ([piece.name.split("_")[-1] for piece in made.files(n)] for n in range(2))
    assert len(first) == 3
    assert first == second
