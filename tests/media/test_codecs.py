"""Codecs that Elastic Transcoder never had, loudness, and two passes: decoded and measured."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.fields import shows
from tests.media.comparing import samples
from tests.media.encoding import ffmpeg, ffprobe, key_frame_times, transcoded
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

SMALL = {"max_width": 320, "max_height": 180}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of a moving picture, 25 per second, and a tone."""
    source = tmp_path_factory.mktemp("codecs") / "plain.mp4"
    picture, tone = "testsrc2=s=320x180:r=25:d=2", "sine=f=440:r=48000:d=2"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-crf", "10", "-pix_fmt", "yuv420p", str(source))
    return source


def psnr(one: Path, other: Path) -> float:
    """Of the pictures of both, in dB."""
    compared = ("-lavfi", "[0:v][1:v]psnr", "-f", "null", "-")
    told = subprocess.run(
        ["ffmpeg", "-hide_banner", "-i", str(one), "-i", str(other), *compared], capture_output=True, check=True
    )
    return float(told.stderr.decode().rsplit("average:", 1)[1].split()[0])


def measured_loudness(path: Path) -> dict[str, float]:
    """By EBU R 128, with another filter than the one that made it."""
    told = subprocess.run(
        ["ffmpeg", "-hide_banner", "-i", str(path), "-af", "loudnorm=print_format=json", "-f", "null", "-"],
        capture_output=True,
        check=True,
    )
    words = told.stderr.decode()
    found: dict[str, str] = json.loads(words[words.rindex("{") : words.rindex("}") + 1])
    return {name: float(value) for name, value in found.items() if name.startswith("input_")}


def test_many_renditions_of_av1_stay_within_what_a_process_may_have(plain: Path, tmp_path: Path) -> None:
    pictures = SMALL | {"codec": "av1", "quality": 40}
    outputs = [an_output(settings(container="webm", video=pictures), index) for index in range(4)]
    made = transcoded(tmp_path / "job", plain, a_task(*outputs))
    assert made.failures == {}
    assert {ffprobe(made.file(index), "-count_packets")["streams"][0]["nb_read_packets"] for index in range(4)} == {
        "50"
    }


@shows("settings.video.codec=hevc", "settings.video.codec=av1", "settings.audio.codec=opus")
@pytest.mark.parametrize(
    ("container", "video", "audio", "tag"),
    [
        ("mp4", "hevc", "aac", "hvc1"),
        ("fmp4", "hevc", "opus", "hvc1"),
        ("ts", "hevc", "aac", None),
        ("mp4", "av1", "opus", "av01"),
        ("webm", "av1", "opus", None),
        ("webm", "vp9", "opus", None),
    ],
)
def test_later_codecs_look_and_last_like_their_source(
    plain: Path, tmp_path: Path, container: str, video: str, audio: str, tag: str | None
) -> None:
    pictures = SMALL | {"codec": video, "fixed_gop": True, "keyframes_max_distance": 25, "quality": 20}
    own = settings(container=container, video=pictures, audio={"codec": audio})
    made = transcoded(tmp_path / "job", plain, a_task(an_output(own)))
    assert made.failures == {}
    said = ffprobe(made.file(), "-count_packets")
    picture, sound = sorted(said["streams"], key=lambda stream: stream["codec_type"], reverse=True)
    assert (picture["codec_name"], sound["codec_name"]) == (video, audio)
    assert int(picture["nb_read_packets"]) == 50
    assert tag in (None, picture["codec_tag_string"])
    assert [round(at - key_frame_times(made.file())[0], 2) for at in key_frame_times(made.file())] == [0, 1]
    assert psnr(made.file(), plain) > 30
    assert float(said["format"]["duration"]) == pytest.approx(2, abs=0.1)


def test_opus_alone_is_as_long_as_its_source(plain: Path, tmp_path: Path) -> None:
    own = settings(container="ogg", audio={"codec": "opus", "bit_rate": 64_000})
    made = transcoded(tmp_path / "job", plain, a_task(an_output(own)))
    [sound] = ffprobe(made.file())["streams"]
    assert (sound["codec_name"], sound["sample_rate"]) == ("opus", "48000")
    assert made.outputs[0].duration == pytest.approx(2, abs=0.03)


@shows("settings.audio.loudness.integrated", "settings.audio.loudness.true_peak")
@pytest.mark.parametrize("target", [-16.0, -36.0])
def test_sound_is_brought_to_a_loudness(tmp_path: Path, target: float) -> None:
    source = tmp_path / "noise.wav"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=color=pink:r=44100:d=8:a=0.2:seed=1", str(source))
    before = measured_loudness(source)
    assert abs(before["input_i"] - target) > 3
    audio = {"codec": "flac", "loudness": {"integrated": target, "true_peak": -2.0}}
    made = transcoded(tmp_path / "job", source, a_task(an_output(settings(container="flac", audio=audio))), ciphers={})
    after = measured_loudness(made.file())
    assert after["input_i"] == pytest.approx(target, abs=1)
    assert after["input_tp"] <= -1.9
    [sound] = ffprobe(made.file())["streams"]
    assert sound["sample_rate"] == "44100"
    assert made.outputs[0].duration == pytest.approx(8, abs=0.05)


def test_sound_is_as_loud_as_asked_for_in_the_channels_that_it_is_given(tmp_path: Path) -> None:
    source = tmp_path / "around.wav"
    six = ";".join(f"anoisesrc=color=pink:r=48000:d=5:a=0.3:seed={seed}[{seed}]" for seed in range(6))
    ffmpeg("-f", "lavfi", "-i", f"{six};[0][1][2][3][4][5]join=inputs=6:channel_layout=5.1", str(source))
    targets = {"auto": -23.0, 2: -16.0, 1: -20.0}
    outputs = [
        an_output(
            settings(
                container="flac", audio={"codec": "flac", "channels": channels, "loudness": {"integrated": target}}
            ),
            index,
        )
        for index, (channels, target) in enumerate(targets.items())
    ]
    made = transcoded(tmp_path / "job", source, a_task(*outputs))
    assert made.failures == {}
    files = [made.file(index) for index in range(3)]
    assert [ffprobe(file)["streams"][0]["channels"] for file in files] == [6, 2, 1]
    assert [measured_loudness(file)["input_i"] for file in files] == pytest.approx(list(targets.values()), abs=1)


def test_gaps_in_sound_that_is_brought_to_a_loudness_stay_as_long_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "gap.mkv"
    sound = "sine=f=440:r=48000:d=6,aselect='not(between(t,2,3.5))'"
    ffmpeg("-f", "lavfi", "-i", sound, "-c:a", "pcm_s16le", str(source))
    audio = {"codec": "flac", "loudness": {}}
    made = transcoded(tmp_path / "job", source, a_task(an_output(settings(container="flac", audio=audio))))
    assert float(ffprobe(made.file())["format"]["duration"]) == pytest.approx(6, abs=0.05)


def test_sound_that_is_too_short_to_have_a_loudness_stays_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "blip.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=f=440:r=48000:d=0.2", "-c:a", "pcm_s16le", str(source))
    audio = {"codec": "flac", "loudness": {"integrated": -12.0}}
    made = transcoded(tmp_path / "job", source, a_task(an_output(settings(container="flac", audio=audio))))
    assert samples(made.file()) == samples(source)


@shows("settings.video.two_pass")
@pytest.mark.parametrize(("container", "codec"), [("mp4", "h264"), ("webm", "vp9"), ("mpg", "mpeg2")])
def test_two_passes_look_through_everything_first(plain: Path, tmp_path: Path, container: str, codec: str) -> None:
    video = SMALL | {"codec": codec, "bit_rate": 300_000, "two_pass": True}
    once = settings(container="mp4", video=SMALL | {"codec": "h264"})
    task = a_task(an_output(settings(container=container, video=video)), an_output(once, 1))
    made = transcoded(tmp_path / "job", plain, task)
    assert made.failures == {}
    passes = [command[command.index("-pass") + 1] for command in made.commands if "-pass" in command]
    assert (len(made.commands), passes) == (3, ["1", "2"])
    assert int(ffprobe(made.file(), "-count_packets")["streams"][0]["nb_read_packets"]) == 50
    assert psnr(made.file(), plain) > 25


@shows("settings.video.bit_rate")
def test_two_passes_meet_the_bit_rate_better_than_one(tmp_path: Path) -> None:
    """Four still seconds, then two full of noise: who has not looked ahead has saved up too much or too little."""
    source = tmp_path / "uneven.mp4"
    still, noise = "color=gray:s=320x180:r=25:d=4", "color=gray:s=320x180:r=25:d=2,noise=alls=60:allf=t"
    joined = ("-filter_complex", "[0:v][1:v]concat=n=2", "-crf", "5", "-pix_fmt", "yuv420p")
    ffmpeg("-f", "lavfi", "-i", still, "-f", "lavfi", "-i", noise, *joined, str(source))
    video = SMALL | {"codec": "h264", "bit_rate": 400_000, "max_bit_rate": 4_000_000}
    outputs = [
        an_output(settings(container="mp4", video=video | {"two_pass": twice}), int(twice)) for twice in (False, True)
    ]
    made = transcoded(tmp_path / "job", source, a_task(*outputs))
    once, twice = (abs(made.file(index).stat().st_size * 8 / 6 - 400_000) for index in (0, 1))
    assert twice < once / 2
