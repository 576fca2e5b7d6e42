"""What senders say of their inputs, and what is found out of those of which nothing is said."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.jobs.failure import AttemptFailed
from shared.failures import Cause, FailureCode
from shared.protocol import PartSpec
from tests.fields import shows
from tests.media.comparing import assert_alike, counted, pictures, psnr, samples, woven_share
from tests.media.encoding import ffmpeg, ffprobe, transcoded
from tests.media.inputs.making import H264, PICTURE, SOUND, interlaced, movie, moving
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media


@shows("inputs[].frame_rate")
def test_pictures_are_read_at_the_rate_that_is_said(tmp_path: Path) -> None:
    """Every one of them is kept, and lasts as long as the others."""
    source = movie(tmp_path / "a.mp4", 1, rate="25", tone=None)
    made = transcoded(tmp_path / "job", source, a_task(an_output(PICTURE), parts=(PartSpec(frame_rate="50"),)))
    shown = ffprobe(made.file())["streams"][0]
    assert (shown["r_frame_rate"], counted(made.file())) == ("50/1", 25)
    assert_alike(pictures(made.file()), pictures(source))
    assert made.outputs[0].duration == pytest.approx(0.5)


@shows("inputs[].aspect_ratio")
@pytest.mark.parametrize(("shape", "size"), [("4:3", (160, 120)), ("1:1", (160, 160)), ("auto", (160, 90))])
def test_a_picture_has_the_shape_that_is_said(tmp_path: Path, shape: str, size: tuple[int, int]) -> None:
    source = movie(tmp_path / "a.mp4", 0.4)
    made = transcoded(
        tmp_path / "job",
        source,
        a_task(an_output(PICTURE), parts=(PartSpec.model_validate({"aspect_ratio": shape}),)),
    )
    shown = ffprobe(made.file())["streams"][0]
    assert (shown["width"], shown["height"]) == size
    assert shown["sample_aspect_ratio"] == "1:1"
    assert made.report.inputs[0].height == 90  # what it is, not what is said of it


def test_the_shape_that_is_said_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    lying, turned = movie(tmp_path / "a.mp4", 0.4, size="160x120"), tmp_path / "b.mp4"
    ffmpeg("-i", str(lying), "-c", "copy", "-metadata:s:v", "rotate=90", str(turned))
    task = a_task(an_output(PICTURE), parts=(PartSpec(aspect_ratio="1:1"),))
    shown = ffprobe(transcoded(tmp_path / "job", turned, task).file())["streams"][0]
    assert (shown["width"], shown["height"]) == (160, 160)


@shows("inputs[].resolution")
def test_a_picture_has_the_size_that_is_said(tmp_path: Path) -> None:
    source = movie(tmp_path / "a.mp4", 0.4, "-vf", "setsar=2", *H264, "-c:a", "aac")
    made = transcoded(tmp_path / "job", source, a_task(an_output(PICTURE), parts=(PartSpec(resolution="128x96"),)))
    shown = ffprobe(made.file())["streams"][0]
    assert (shown["width"], shown["height"]) == (128, 96)
    assert_alike(pictures(made.file()), pictures(source))


@shows("inputs[].interlaced")
@pytest.mark.parametrize("weave", ["interleave_top", "interleave_bottom"])
def test_fields_that_nothing_tells_of_are_woven_apart_when_it_is_said(tmp_path: Path, weave: str) -> None:
    source = interlaced(tmp_path / "a.mpg", 1.2, flag="prog", weave=weave)
    assert woven_share(source) > 0.9
    left, apart = (
        transcoded(tmp_path / f"{said}", source, a_task(an_output(PICTURE), parts=(PartSpec(interlaced=said),)))
        for said in (False, True)
    )
    assert woven_share(left.file()) > 0.9
    assert woven_share(apart.file()) < 0.1
    assert counted(apart.file()) == counted(left.file()) == 30


def test_interlaced_pictures_are_found_out(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "a.mpg", 1.2)
    assert woven_share(source) > 0.9
    made = transcoded(tmp_path / "job", source, a_task(an_output(PICTURE)))
    assert woven_share(made.file()) < 0.1
    assert any("bwdif" in word for word in made.commands[-1])


def test_progressive_pictures_in_an_interlaced_file_are_left_alone(tmp_path: Path) -> None:
    """Cameras write so at 25 and 30 pictures a second."""
    source = tmp_path / "a.mpg"
    filters = "setfield=tff,format=yuv420p"
    ffmpeg(*moving(25, 1.2), "-vf", filters, "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme", str(source))
    assert ffprobe(source)["streams"][0]["field_order"] == "tt"
    made = transcoded(tmp_path / "job", source, a_task(an_output(PICTURE)))
    assert not any("bwdif" in word for word in made.commands[-1])
    assert_alike(pictures(made.file()), pictures(source))


@shows("inputs[].container")
def test_a_file_is_read_as_what_it_is_said_to_be(tmp_path: Path) -> None:
    source = movie(tmp_path / "a.ts", 1, tone=None)
    made = transcoded(tmp_path / "job", source, a_task(an_output(PICTURE), parts=(PartSpec(container="mpeg-ts"),)))
    encode = made.commands[-1]
    assert encode[encode.index("-f") + 1] == "mpegts"
    assert encode.index("-f") < encode.index("-i")
    assert_alike(pictures(made.file()), pictures(source))


@pytest.mark.parametrize("container", ["avi", "mkv", "mpeg-ts", "vob", "mp3", "aac", "wav", "mxf"])
def test_a_file_that_is_something_else_is_refused_by_its_name(tmp_path: Path, container: str) -> None:
    source = movie(tmp_path / "a.mp4", 0.4)
    task = a_task(an_output(PICTURE), parts=(PartSpec.model_validate({"container": container}),))
    with pytest.raises(AttemptFailed) as failed:
        transcoded(tmp_path / "job", source, task)
    failure = failed.value.failure
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.BAD_INPUT_FORMAT)
    assert f"cannot be read as {container}" in failure.message


@shows("inputs[].detected")
def test_the_length_of_what_tells_none_is_counted(tmp_path: Path) -> None:
    whole, piped = movie(tmp_path / "a.mp4", 1.2), tmp_path / "b.webm"
    coding = ("-c:v", "libvpx", "-b:v", "1M", "-c:a", "libvorbis", "-f", "webm", "pipe:1")
    written = subprocess.run(["ffmpeg", "-v", "error", "-i", whole, *coding], capture_output=True, check=True)
    piped.write_bytes(written.stdout)
    assert "duration" not in ffprobe(piped)["format"]
    made = transcoded(tmp_path / "job", piped, a_task(an_output(PICTURE)))
    [found] = made.report.inputs
    assert found.duration == pytest.approx(1.2, abs=0.03)
    assert (found.width, found.height, found.frame_rate, found.size) == (160, 90, 25.0, piped.stat().st_size)


def test_a_phones_video_keeps_its_length_and_its_sound(phone: Path, tmp_path: Path) -> None:
    """Its pictures come at odd times: the first lasts as long as five others."""
    small = settings(container="mp4", video={"codec": "h264", "max_width": 320}, audio={"codec": "aac"})
    source = ffprobe(phone)
    made = transcoded(tmp_path / "job", phone, a_task(an_output(small), an_output(SOUND, 1)))
    assert made.failures == {}
    seconds = float(source["format"]["duration"])
    assert made.outputs[0].duration == pytest.approx(seconds, abs=0.05)
    picture, sound = ffprobe(made.file())["streams"]
    assert picture["r_frame_rate"] in ("30/1", "30000/1001")
    assert float(picture["duration"]) == pytest.approx(float(source["streams"][0]["duration"]), abs=0.07)
    assert float(sound["duration"]) == pytest.approx(float(source["streams"][1]["duration"]), abs=0.05)
    shown = pictures(made.file(), size="160x90")
    for at in (0.5, 1.0, 1.3):
        [wanted, *_] = pictures(phone, "-ss", str(at), size="160x90")
        rate = len(shown) / float(picture["duration"])
        near = shown[max(0, round(at * rate) - 2) : round(at * rate) + 3]
        assert max(psnr(frame, wanted) for frame in near) > 28
    assert len(samples(made.file(1))) == pytest.approx(float(source["streams"][1]["duration"]) * 48000, abs=2400)
