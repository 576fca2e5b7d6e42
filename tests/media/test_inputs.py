"""Inputs as they come: odd ones that must work, and bad ones that must be refused with a word of advice."""

from __future__ import annotations

import random
import subprocess
import wave
from pathlib import Path

import pytest

from agent.media import MediaRefused
from shared.failures import Cause, Failure, FailureCode
from tests.media.encoding import ffmpeg, ffprobe, probed, transcoded
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

SMALL = settings(container="mp4", video={"codec": "h264", "max_width": 160, "max_height": 160}, audio={"codec": "aac"})


def refusal(root: Path, source: Path) -> Failure:
    with pytest.raises(MediaRefused) as refused:
        probed(root, source)
    return refused.value.failure


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    failure = refusal(tmp_path / "job", empty)
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.BAD_INPUT_FORMAT)
    assert "empty" in failure.message


@pytest.mark.parametrize(
    "content",
    [
        b"This is not a movie.\n" * 200,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period/></MPD>',
        b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        bytes(range(256)) * 100,
    ],
    ids=["text", "playlist of files", "playlist of addresses", "concat", "manifest", "subtitles", "session", "bytes"],
)
def test_what_only_calls_itself_a_movie_is_refused(tmp_path: Path, content: bytes) -> None:
    disguised = tmp_path / "movie.mp4"
    disguised.write_bytes(content)
    failure = refusal(tmp_path / "job", disguised)
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.BAD_INPUT_FORMAT)


def test_a_movie_whose_index_is_cut_off_is_refused(bunny: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.mp4"
    truncated.write_bytes(bunny.read_bytes()[:600_000])
    assert "incomplete" in refusal(tmp_path / "job", truncated).message


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_movie_that_ends_early_fails_and_says_where(streamable: Path, tmp_path: Path, container: str) -> None:
    whole = tmp_path / f"whole.{container}"
    ffmpeg("-i", str(streamable), "-c", "copy", "-movflags", "+faststart", str(whole))
    truncated = tmp_path / f"truncated.{container}"
    truncated.write_bytes(whole.read_bytes()[:600_000])
    task = a_task(an_output("200050", 0, segment_duration=2.0), an_output(SMALL, 1), an_output("500060", 2))
    made = transcoded(tmp_path / "job", truncated, task)
    assert set(made.failures) == {0, 1, 2}
    for failure in made.failures.values():
        assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.BAD_INPUT_FORMAT)
        assert failure.message.startswith("The input ends after 2.")
        assert "upload the whole file again" in failure.message


def test_a_rotated_movie_is_upright(short: Path, tmp_path: Path) -> None:
    rotated = tmp_path / "rotated.mp4"
    ffmpeg("-i", str(short), "-c", "copy", "-metadata:s:v", "rotate=90", str(rotated))
    made = transcoded(tmp_path / "job", rotated, a_task(an_output(SMALL)))
    assert made.failures == {}
    [properties] = made.report.inputs
    assert (properties.width, properties.height) == (720, 1280)
    [picture, _] = ffprobe(made.file())["streams"]
    assert (picture["width"], picture["height"]) == (90, 160)
    assert "side_data_list" not in picture


def test_interlaced_pictures_are_woven_apart(short: Path, tmp_path: Path) -> None:
    interlaced = tmp_path / "interlaced.mpg"
    fields = "fps=50,tinterlace=interleave_top,setfield=tff"
    coding = ("-c:v", "mpeg2video", "-q:v", "4", "-flags", "+ildct+ilme", "-c:a", "mp2")
    ffmpeg("-i", str(short), "-vf", fields, *coding, str(interlaced))
    made = transcoded(tmp_path / "job", interlaced, a_task(an_output(SMALL), an_output("100170", 1)))
    assert made.failures == {}
    facts = probed(tmp_path / "probed", interlaced)
    assert facts.video is not None
    assert facts.video.interlaced
    [progressive, _] = ffprobe(made.file())["streams"]
    assert progressive["field_order"] == "progressive"


def test_full_range_pictures_become_limited(short: Path, tmp_path: Path) -> None:
    full = tmp_path / "full.avi"
    ffmpeg("-i", str(short), "-an", "-vf", "format=yuvj420p", "-c:v", "mjpeg", "-q:v", "3", str(full))
    made = transcoded(tmp_path / "job", full, a_task(an_output(SMALL)))
    [picture] = ffprobe(made.file())["streams"]
    assert (picture["pix_fmt"], picture["color_range"]) == ("yuv420p", "tv")


def test_a_picture_that_starts_late_stays_with_its_sound(short: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    ffmpeg(
        "-itsoffset", "0.8", "-i", str(short), "-i", str(short), "-map", "0:v", "-map", "1:a", "-c", "copy", str(late)
    )
    made = transcoded(tmp_path / "job", late, a_task(an_output(SMALL), an_output("500040", 1)))
    assert made.failures == {}
    for index, rate in enumerate((25, 30)):
        picture = ffprobe(made.file(index), "-count_packets")["streams"][0]
        assert int(picture["nb_read_packets"]) / rate == pytest.approx(2.4, abs=0.05)


def test_six_channels_become_two(bunny: Path, tmp_path: Path) -> None:
    made = transcoded(tmp_path / "job", bunny, a_task(an_output("300040"), an_output(SMALL, 1)))
    [stereo] = ffprobe(made.file())["streams"]
    [_, kept] = ffprobe(made.file(1))["streams"]
    assert (stereo["channels"], kept["channels"]) == (2, 6)


def sound_of(path: Path) -> list[bytes]:
    """The samples of each channel, of 16 bits."""
    channels = ffprobe(path)["streams"][0]["channels"]
    read = ("ffmpeg", "-v", "error", "-i", str(path), "-f", "s16le", "-")
    samples = memoryview(subprocess.run(read, capture_output=True, check=True).stdout).cast("h")
    return [samples[channel::channels].tobytes() for channel in range(channels)]


def test_of_more_channels_than_can_be_told_apart_the_first_eight_are_heard(tmp_path: Path) -> None:
    many, sound = tmp_path / "many.wav", random.Random(1).randbytes(2 * 10 * 4800)
    with wave.open(str(many), "wb") as file:
        file.setparams((10, 2, 48000, 0, "NONE", ""))
        file.writeframes(sound)
    outputs = [
        an_output(settings(container="wav", audio={"codec": "pcm"})),
        an_output(settings(container="mp3", audio={"codec": "mp3", "channels": 2}), 1),
        an_output(settings(container="webm", audio={"codec": "opus"}), 2),
    ]
    made = transcoded(tmp_path / "job", many, a_task(*outputs))
    assert made.failures == {}
    assert sound_of(made.file(0)) == sound_of(many)[:8]
    assert [len(sound_of(made.file(index))) for index in (1, 2)] == [2, 8]


@pytest.mark.parametrize("layout", ["2.1", "4.0", "5.1(side)"])
def test_channels_become_those_that_opus_has(tmp_path: Path, layout: str) -> None:
    source = tmp_path / "sound.wav"
    ffmpeg("-f", "lavfi", "-i", f"anoisesrc=d=0.2,aformat=channel_layouts={layout}", str(source))
    made = transcoded(tmp_path / "job", source, a_task(an_output(settings(container="webm", audio={"codec": "opus"}))))
    assert made.failures == {}
    assert len(sound_of(made.file())) == {"2.1": 3, "4.0": 4, "5.1(side)": 6}[layout]


def test_tracks_that_are_missing_are_silent(short: Path, tmp_path: Path) -> None:
    mxf = settings(
        container="mxf",
        video={"codec": "mpeg2", "frame_rate": "25", "max_width": 320, "max_height": 180},
        audio={"codec": "pcm", "packing_mode": "OneChannelPerTrackWithMosTo8Tracks"},
    )
    made = transcoded(tmp_path / "job", short, a_task(an_output(mxf)))
    assert made.failures == {}
    assert [stream["channels"] for stream in ffprobe(made.file())["streams"][1:]] == [1] * 8


@pytest.mark.parametrize(
    "fields",
    [
        {"container": "mp4", "video": {"codec": "h264"}, "audio": {"codec": "mp3"}},
        {"container": "flv", "video": {"codec": "h264", "quality": 30}, "audio": {"codec": "mp3"}},
        {"container": "ts", "video": {"codec": "mpeg2"}, "audio": {"codec": "mp2"}},
        {
            "container": "mpg",
            "video": {"codec": "mpeg2", "quality": 10},
            "audio": {"codec": "mp2", "bit_rate": 100_000},
        },
        {"container": "webm", "video": {"codec": "vp8"}, "audio": {"codec": "vorbis", "bit_rate": 16_000}},
        {
            "container": "webm",
            "video": {"codec": "vp9", "quality": 40},
            "audio": {"codec": "vorbis", "bit_rate": 512_000},
        },
        {"container": "mp4", "video": {"codec": "h264", "level": "1b", "interlaced_mode": "Auto"}},
        {"container": "mxf", "video": {"codec": "mpeg2"}, "audio": {"codec": "pcm"}},
        {"container": "ogg", "audio": {"codec": "vorbis"}},
        {"container": "oga", "audio": {"codec": "flac", "bit_depth": 24}},
        {"container": "mp2", "audio": {"codec": "mp2", "sample_rate": 22050}},
        {"container": "mp3", "audio": {"codec": "mp3", "sample_rate": 22050, "channels": 1}},
        {"container": "wav", "audio": {"codec": "pcm", "bit_depth": 32, "sample_rate": 96000}},
        {"container": "fmp4", "video": {"codec": "h264", "fixed_gop": True}, "audio": {"codec": "aac"}},
    ],
    ids=lambda fields: "-".join(
        str(part) for part in (fields["container"], *(fields.get(k, {}).get("codec") for k in ("video", "audio")))
    ),
)
def test_settings_of_a_tenants_own_work_as_well(short: Path, tmp_path: Path, fields: dict[str, object]) -> None:
    small = {"max_width": 176, "max_height": 144, "color_space_conversion": "Auto"}
    video = fields.get("video")
    own = settings(**(fields | ({"video": small | video} if isinstance(video, dict) else {})))
    made = transcoded(tmp_path / "job", short, a_task(an_output(own)))
    assert made.failures == {}
    assert made.file().stat().st_size > 0
