"""Several inputs in one output: whatever they are, one follows the other picture by picture and sample by sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.failures import Cause, FailureCode
from shared.protocol import PartSpec, Span
from tests.fields import shows
from tests.media.comparing import SAME, assert_alike, counted, loudness, pictures, pitch, psnr, samples
from tests.media.encoding import ffmpeg, ffprobe, transcoded
from tests.media.inputs.making import H264, PICTURE, SOUND, movie, tone
from tests.unit.agent.media.builders import a_task, an_output, parts, thumbnails

pytestmark = pytest.mark.media


@shows("inputs[].key")
def test_inputs_of_all_kinds_follow_each_other(tmp_path: Path) -> None:
    """25, 30 and 24 pictures a second; H.264, MPEG-4, VP8 and none; 48, 44.1, 22.05 kHz and silence."""
    sources = [
        movie(tmp_path / "a.mp4", 1.2),
        movie(tmp_path / "b.avi", 1, "-c:v", "mpeg4", "-q:v", "2", size="80x60", rate="30", tone=None),
        movie(tmp_path / "c.webm", 1.25, "-c:v", "libvpx", "-b:v", "1M", "-c:a", "libvorbis", size="60x90", rate="24", tone=880),
        tone(tmp_path / "d.mp3", 0.5, 660, rate=44100),
    ]  # fmt: skip
    task = a_task(an_output(PICTURE), an_output(SOUND, 1), parts=parts(4))
    made = transcoded(tmp_path / "job", sources, task)
    assert made.failures == {}
    assert [found.duration for found in made.report.inputs[:2]] == [pytest.approx(1.2), pytest.approx(1)]
    assert [found.width for found in made.report.inputs] == [160, 80, 60, None]

    shown = ffprobe(made.file())["streams"][0]
    assert (shown["width"], shown["height"], shown["r_frame_rate"]) == (160, 90, "30/1")
    assert shown["sample_aspect_ratio"] in ("1:1", "0:1")
    decoded = pictures(made.file())
    seconds = float(made.outputs[0].duration or 0)
    assert len(decoded) == pytest.approx(seconds * 30, abs=0.1)

    first = pictures(sources[0], filters="fps=30:start_time=0")
    assert_alike(decoded[:36], first)
    second = pictures(sources[1], filters="scale=120:90,pad=160:90:20:0")
    assert_alike(decoded[36:66], second)
    third = pictures(sources[2], filters="fps=30:start_time=0,pad=160:90:50:0")
    assert_alike(decoded[66:100], third[:34])
    assert max(max(picture) for picture in decoded[-12:]) <= 20  # nothing to see while there is only sound

    heard = samples(made.file(1))
    assert len(heard) == len(decoded) * 48000 // 30
    at = [0, 57600, 105600, 105600 + 60000]
    assert pitch(heard[: at[1]], 48000) == pytest.approx(440, abs=3)
    assert loudness(heard[at[1] + 200 : at[2]]) == 0
    assert pitch(heard[at[2] + 200 : at[3]], 48000) == pytest.approx(880, abs=3)
    assert pitch(heard[-20000:-2000], 48000) == pytest.approx(660, abs=3)


def test_the_seam_is_between_two_pictures(tmp_path: Path) -> None:
    """The last picture of one input and the first of the next are there, once each."""
    sources = [movie(tmp_path / "a.mp4", 1), movie(tmp_path / "b.mp4", 1)]
    ffmpeg("-i", str(sources[1]), "-vf", "hflip", *H264, "-c:a", "copy", str(tmp_path / "c.mp4"))
    sources[1] = tmp_path / "c.mp4"
    made = transcoded(tmp_path / "job", sources, a_task(an_output(PICTURE), parts=parts(2)))
    decoded = pictures(made.file())
    assert_alike(decoded, pictures(sources[0]) + pictures(sources[1]))
    assert psnr(decoded[24], decoded[25]) < 20


def test_inputs_of_one_picture_are_shown_one_after_the_other(tmp_path: Path) -> None:
    """Slides: of one picture nobody can tell how long it is shown but by the rate."""
    slides = [movie(tmp_path / f"{number}.mp4", 0.04 * (number + 1), tone=None) for number in range(2)]
    task = a_task(an_output(PICTURE), parts=(*parts(2), PartSpec(source=0), PartSpec(source=0)))
    made = transcoded(tmp_path / "job", slides, task)
    one, two = pictures(slides[0]), pictures(slides[1])
    assert_alike(pictures(made.file()), [*one, *two, *one, *one])
    assert made.outputs[0].duration == pytest.approx(0.2)


def test_one_file_may_be_several_inputs(tmp_path: Path) -> None:
    """Once as it is, twice the same stretch of it: it is fetched once."""
    source = movie(tmp_path / "a.mp4", 1)
    stretch = PartSpec(clip=Span(start=0.4, duration=0.2))
    task = a_task(an_output(PICTURE), parts=(PartSpec(), stretch, stretch))
    made = transcoded(tmp_path / "job", source, task)
    reference = pictures(source)
    assert_alike(pictures(made.file()), reference + 2 * reference[10:15])
    assert len(made.report.inputs) == 3


@pytest.mark.parametrize("segments", [2.0, None])
def test_segments_and_thumbnails_go_over_the_seams(tmp_path: Path, segments: float | None) -> None:
    sources = [movie(tmp_path / f"{n}.mp4", 1.6, tone=440 + n) for n in range(3)]
    preset = "200050" if segments else "000010"
    output = an_output(preset, 0, segment_duration=segments, thumbnails=thumbnails(1))
    made = transcoded(tmp_path / "job", sources, a_task(output, parts=parts(3)))
    assert made.failures == {}
    assert made.outputs[0].duration == pytest.approx(4.8, abs=0.05)
    stills = made.files(0, "thumbnail")
    assert len(stills) == 5
    for number, still in enumerate(stills):
        [shown] = pictures(still)
        source, at = sources[int(number / 1.6)], number % 1.6
        [wanted] = pictures(source, "-ss", f"{at:.3f}", "-t", "0.04")[:1]
        assert psnr(shown, wanted) > 22


def test_shapes_turns_and_pixels_of_each_are_honoured(tmp_path: Path) -> None:
    """The first gives the shape; one lies on its side, one has pixels that are not square."""
    upright = movie(tmp_path / "a.mp4", 0.4, size="96x160")
    lying = movie(tmp_path / "b.mp4", 0.4, size="160x96")
    turned = tmp_path / "c.mp4"
    ffmpeg("-i", str(lying), "-c", "copy", "-metadata:s:v", "rotate=90", str(turned))
    squeezed = movie(tmp_path / "d.mp4", 0.4, "-vf", "setsar=1/2", *H264, "-c:a", "aac", size="192x160")
    made = transcoded(tmp_path / "job", [upright, turned, squeezed], a_task(an_output(PICTURE), parts=parts(3)))
    decoded = pictures(made.file(), size="96x160")
    assert_alike(decoded[:10], pictures(upright, size="96x160"))
    assert_alike(decoded[10:20], pictures(turned, size="96x160"))
    assert psnr(decoded[10], pictures(lying, size="96x160")[0]) < 20
    assert_alike(decoded[20:], pictures(squeezed, size="96x160"))


@pytest.mark.parametrize(
    ("turn", "filters"), [(90, "transpose=clock"), (180, "hflip,vflip"), (270, "transpose=cclock")]
)
def test_all_of_it_is_turned_after_each_was_set_upright(tmp_path: Path, turn: int, filters: str) -> None:
    """The second lies on its side and says so: what is turned is what a viewer of it would see."""
    upright, lying = movie(tmp_path / "a.mp4", 0.4, size="96x160"), movie(tmp_path / "b.mp4", 0.4, size="160x96")
    turned = tmp_path / "c.mp4"
    ffmpeg("-i", str(lying), "-c", "copy", "-metadata:s:v", "rotate=90", str(turned))
    output = an_output(PICTURE, rotate=turn, thumbnails=thumbnails(1))
    made = transcoded(tmp_path / "job", [upright, turned], a_task(output, parts=parts(2)))
    width, height = (96, 160) if turn == 180 else (160, 96)
    [stream] = [one for one in ffprobe(made.file())["streams"] if one["codec_type"] == "video"]
    assert (stream["width"], stream["height"]) == (width, height)
    decoded, size = pictures(made.file(), size=f"{width}x{height}"), f"{width}x{height}"
    assert_alike(decoded[:10], pictures(upright, size=size, filters=filters))
    assert_alike(decoded[10:], pictures(turned, size=size, filters=filters))
    [still] = pictures(made.files(0, "thumbnail")[0], size=size)
    assert psnr(still, decoded[0]) > 24


def test_what_is_larger_makes_the_whole_larger_only_where_it_fills_it(tmp_path: Path) -> None:
    small, large = movie(tmp_path / "a.mp4", 0.4), movie(tmp_path / "b.mp4", 0.4, size="320x180")
    tall = movie(tmp_path / "c.mp4", 0.4, size="180x320")
    made = transcoded(tmp_path / "job", [small, large, tall], a_task(an_output(PICTURE), parts=parts(3)))
    shown = ffprobe(made.file())["streams"][0]
    assert (shown["width"], shown["height"]) == (320, 180)


def test_an_input_that_is_cut_short_is_not_covered_up(tmp_path: Path) -> None:
    """Its picture does not stand still for as long as its index promises more."""
    whole, other = movie(tmp_path / "a.mp4", 4, *H264, "-c:a", "aac", "-movflags", "+faststart"), tmp_path / "b.mp4"
    movie(other, 1)
    short = tmp_path / "short.mp4"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    among = (*(PartSpec(source=0),) * 9, PartSpec(source=1), *(PartSpec(source=0),) * 9)
    made = transcoded(tmp_path / "job", [other, short], a_task(an_output(PICTURE), parts=among))
    failure = made.failures[0]
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.BAD_INPUT_FORMAT)


def test_sound_alone_is_stitched_to_the_sample(tmp_path: Path) -> None:
    sources = [tone(tmp_path / "a.wav", 0.51, 440), tone(tmp_path / "b.wav", 0.333, 880)]
    made = transcoded(tmp_path / "job", sources, a_task(an_output(SOUND), parts=parts(2)))
    heard = samples(made.file())
    assert len(heard) == round((0.51 + 0.333) * 48000)
    assert pitch(heard[:24000], 48000) == pytest.approx(440, abs=3)
    assert pitch(heard[24600:], 48000) == pytest.approx(880, abs=4)


def test_nothing_that_is_stitched_drifts(tmp_path: Path) -> None:
    """Thirty inputs whose length is no whole number of pictures: the last begins where it should, in sound and picture."""
    sources = [movie(tmp_path / "a.mp4", 0.51, rate="30000/1001")] * 29 + [movie(tmp_path / "b.mp4", 0.5, tone=1000)]
    task = a_task(an_output(PICTURE), an_output(SOUND, 1), parts=(*(PartSpec(source=0),) * 29, PartSpec(source=1)))
    made = transcoded(tmp_path / "job", [sources[0], sources[-1]], task)
    assert made.failures == {}
    heard = samples(made.file(1))
    frames = counted(made.file())
    assert len(heard) == pytest.approx(frames * 48000 * 1001 / 30000, abs=1)
    begins = next(at for at in range(0, len(heard), 480) if abs(pitch(heard[at : at + 4800], 48000) - 1000) < 30)
    decoded = pictures(made.file())
    last = pictures(sources[-1])[0]
    shown = max(range(len(decoded) - 20, len(decoded)), key=lambda at: psnr(decoded[at], last))
    assert psnr(decoded[shown], last) > SAME
    assert begins / 48000 == pytest.approx(shown * 1001 / 30000, abs=0.03)
