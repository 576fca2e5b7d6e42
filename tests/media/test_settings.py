"""What single settings of sound and picture change, measured in what comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.failures import FailureReason
from tests.fields import shows
from tests.media.encoding import Made, ffmpeg, ffprobe, transcoded
from tests.media.test_codecs import psnr
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

SMALL = {"max_width": 320, "max_height": 180, "codec": "h264"}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s of a moving picture, the last second of it full of noise, which no encoder makes small."""
    source = tmp_path_factory.mktemp("settings") / "noisy.mp4"
    calm, noise = "testsrc2=s=320x180:r=25:d=2", "color=gray:s=320x180:r=25:d=1,noise=alls=60:allf=t"
    joined = ("-filter_complex", "[0:v]setsar=1/1[c];[1:v]setsar=1/1[n];[c][n]concat=n=2", "-crf", "8")
    ffmpeg("-f", "lavfi", "-i", calm, "-f", "lavfi", "-i", noise, *joined, "-pix_fmt", "yuv420p", str(source))
    return source


def made_with(root: Path, source: Path, *videos: dict[str, Any]) -> Made:
    outputs = [an_output(settings(container="mp4", video=SMALL | video), at) for at, video in enumerate(videos)]
    made = transcoded(root / "job", source, a_task(*outputs))
    assert made.failures == {}
    return made


def overflow(file: Path, rate: int, seconds: float = 0.04) -> float:
    """The most bits that ever wait in a buffer from which `rate` bits per second are taken; a picture comes every 40 ms."""
    waiting = most = 0.0
    for packet in ffprobe(file, "-select_streams", "v", "-show_entries", "packet=size")["packets"]:
        waiting = max(0.0, waiting + int(packet["size"]) * 8 - rate * seconds)
        most = max(most, waiting)
    return most


def test_a_rate_too_low_for_two_passes_is_told_and_no_fault_of_the_node(noisy: Path, tmp_path: Path) -> None:
    twice = {"codec": "mpeg2", "max_width": 1280, "sizing_policy": "Fit", "bit_rate": 10_000, "two_pass": True}
    outputs = [an_output(settings(container="ts", video=twice)), an_output(settings(container="mp4", video=SMALL), 1)]
    made = transcoded(tmp_path / "job", noisy, a_task(*outputs))
    assert {index: failure.reason for index, failure in made.failures.items()} == {0: FailureReason.BIT_RATE_TOO_LOW}


@shows("settings.video.quality")
def test_a_lower_factor_looks_better_and_takes_more_room(noisy: Path, tmp_path: Path) -> None:
    made = made_with(tmp_path, noisy, {"quality": 12}, {"quality": 40})
    good, bad = made.file(0), made.file(1)
    assert psnr(good, noisy) > psnr(bad, noisy) + 8
    assert good.stat().st_size > 4 * bad.stat().st_size


@shows("settings.video.max_bit_rate", "settings.video.buffer_size")
def test_no_stretch_exceeds_the_highest_rate_by_more_than_the_buffer(noisy: Path, tmp_path: Path) -> None:
    rate, small, large = 400_000, 200_000, 4_000_000
    bound = {"bit_rate": rate, "max_bit_rate": rate}
    made = made_with(tmp_path, noisy, bound | {"buffer_size": small}, bound | {"buffer_size": large})
    assert overflow(made.file(0), rate) <= small * 1.05
    assert small < overflow(made.file(1), rate) <= large * 1.05


@shows("settings.video.loop_count")
@pytest.mark.parametrize(("count", "told"), [("infinite", 0), (0, None), (7, 7)])
def test_a_gif_is_shown_as_often_as_asked(noisy: Path, tmp_path: Path, count: object, told: int | None) -> None:
    video = {"codec": "gif", "loop_count": count, "max_width": 64, "max_height": 36, "frame_rate": "10"}
    made = transcoded(tmp_path / "job", noisy, a_task(an_output(settings(container="gif", video=video))))
    content = made.file().read_bytes()
    head = b"NETSCAPE2.0\x03\x01"
    assert (head in content) == (told is not None)
    if told is not None:
        at = content.index(head) + len(head)
        assert int.from_bytes(content[at : at + 2], "little") == told


@shows("settings.audio.sample_rate=auto", "settings.audio.channels=auto", "settings.audio.channels=0")
def test_sound_is_as_the_inputs_or_not_at_all(tmp_path: Path) -> None:
    source = tmp_path / "mono.mp4"
    picture, tone = "testsrc2=s=320x180:r=25:d=1", "sine=f=440:r=32000:d=1"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-ac", "1", "-pix_fmt", "yuv420p", str(source))
    audios = [{"codec": "aac", "channels": channels} for channels in ("auto", 0)]
    outputs = [an_output(settings(container="mp4", video=SMALL, audio=audio), at) for at, audio in enumerate(audios)]
    made = transcoded(tmp_path / "job", source, a_task(*outputs))
    sounds = [stream for stream in ffprobe(made.file(0))["streams"] if stream["codec_type"] == "audio"]
    assert [(sound["sample_rate"], sound["channels"]) for sound in sounds] == [("32000", 1)]
    assert [stream["codec_type"] for stream in ffprobe(made.file(1))["streams"]] == ["video"]


@shows("settings.audio.bit_order=LittleEndian")
def test_a_sample_begins_with_its_least_significant_byte(tmp_path: Path) -> None:
    source = tmp_path / "steady.wav"
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.25:s=44100:d=0.2", "-c:a", "pcm_s24le", str(source))
    audio = {"codec": "pcm", "bit_depth": 24, "bit_order": "LittleEndian"}
    made = transcoded(tmp_path / "job", source, a_task(an_output(settings(container="wav", audio=audio))))
    sample = made.file().read_bytes()[-300:-297]
    assert int.from_bytes(sample, "little", signed=True) == pytest.approx(0.25 * 2**23, abs=256)


@shows("settings.video.bit_rate=auto")
def test_a_bit_rate_can_be_that_of_the_input(tmp_path: Path) -> None:
    told, bare = tmp_path / "told.mp4", tmp_path / "bare.mkv"
    steady = ("-b:v", "500k", "-maxrate", "500k", "-bufsize", "100k", "-pix_fmt", "yuv420p")
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=320x180:r=25:d=3,noise=alls=40:allf=t", *steady, str(told))
    ffmpeg("-i", str(told), "-c", "copy", str(bare))
    for source in (told, bare):  # the second does not say how much of it is the picture
        made = made_with(
            tmp_path / source.stem,
            source,
            {"bit_rate": "auto"},
            {"bit_rate": "auto", "max_bit_rate": 200_000, "buffer_size": 100_000},
        )
        whole, bound = (8 * made.file(index).stat().st_size / 3 for index in (0, 1))
        assert whole == pytest.approx(8 * source.stat().st_size / 3, rel=0.3)
        assert bound < 300_000 < whole


@shows("settings.video.max_reference_frames=0")
def test_without_references_every_picture_is_a_key_frame(noisy: Path, tmp_path: Path) -> None:
    made = made_with(tmp_path, noisy, {"max_reference_frames": 0})
    packets = ffprobe(made.file(), "-show_entries", "packet=flags")["packets"]
    assert len(packets) == 75
    assert all(packet["flags"].startswith("K") for packet in packets)
