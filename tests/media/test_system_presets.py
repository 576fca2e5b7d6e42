"""Every system preset, run on a real clip and compared with what it promises by ffprobe."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agent.media.framerate import NOMINAL
from agent.media.sizing import Size, of_video
from shared.ids import PresetId
from shared.jobspec import AudioSettings, Settings, VideoSettings
from shared.jobspec.audio import PackingMode
from shared.jobspec.codecs import AudioCodec, Container, VideoCodec
from shared.jobspec.video import InterlacedMode
from shared.presets import SYSTEM_PRESETS
from shared.protocol import OutputSpec, ThumbnailSpec, TranscodeFile
from tests.fields import shows
from tests.media.encoding import Made, ffprobe, transcoded

pytestmark = pytest.mark.media

SECONDS = 1.6
SOURCE = Size(1280, 720)
FORMATS = {
    Container.FLAC: "flac",
    Container.FLV: "flv",
    Container.FMP4: "mov,mp4,m4a,3gp,3g2,mj2",
    Container.GIF: "gif",
    Container.MP3: "mp3",
    Container.MP4: "mov,mp4,m4a,3gp,3g2,mj2",
    Container.MPG: "mpeg",
    Container.MXF: "mxf",
    Container.TS: "mpegts",
    Container.WAV: "wav",
    Container.WEBM: "matroska,webm",
}
VIDEO_CODECS = {VideoCodec.MPEG2: "mpeg2video"}
PROFILES = {"baseline": "Constrained Baseline", "main": "Main", "high": "High", "0": "0"}
DEPTHS = {8: "pcm_u8", 16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_s32le"}


@shows(
    "settings.container",
    "settings.video.codec",
    "settings.video.profile",
    "settings.video.level",
    "settings.video.max_reference_frames",
    "settings.video.chroma_subsampling",
    "settings.audio.codec",
    "settings.audio.bit_rate",
    "settings.audio.sample_rate",
    "settings.audio.channels",
    "settings.audio.packing_mode",
    "settings.audio.profile",
    "settings.audio.bit_depth",
    "settings.audio.signed",
    "settings.thumbnails",
)
@pytest.mark.parametrize("preset_id", SYSTEM_PRESETS)
def test_a_system_preset_makes_what_it_says(preset_id: PresetId, short: Path, tmp_path: Path) -> None:
    settings = SYSTEM_PRESETS[preset_id].settings
    made = transcoded(tmp_path / "job", short, a_task(settings))
    assert not made.failures
    said = ffprobe(made.file(), "-count_packets")
    assert said["format"]["format_name"] == FORMATS[settings.container]
    # Transport streams bundle frames of sound, and ffprobe sees when a bundle begins but not how long the last one is.
    slack = 0.25 if settings.container is Container.TS else 0.1
    assert float(said["format"]["duration"]) == pytest.approx(SECONDS, abs=slack)
    pictures = [stream for stream in said["streams"] if stream["codec_type"] == "video"]
    sounds = [stream for stream in said["streams"] if stream["codec_type"] == "audio"]
    check_pictures(settings, pictures, made)
    check_sounds(settings.audio, sounds)
    check_thumbnails(settings, made)


def a_task(settings: Settings) -> TranscodeFile:
    thumbnails = settings.thumbnails and ThumbnailSpec(pattern="t-{count}", settings=settings.thumbnails)
    return TranscodeFile(outputs=(OutputSpec(index=0, key="output", settings=settings, thumbnails=thumbnails),))


def check_pictures(settings: Settings, pictures: list[dict[str, Any]], made: Made) -> None:
    if settings.video is None:
        assert pictures == []
        return
    [picture] = pictures
    video = settings.video
    sizing = of_video(video, SOURCE, Fraction(1))
    assert picture["codec_name"] == VIDEO_CODECS.get(video.codec, video.codec.value)
    assert (picture["width"], picture["height"]) == (sizing.frame.width, sizing.frame.height)
    assert Fraction(picture["sample_aspect_ratio"].replace(":", "/")) == sizing.pixel_aspect
    check_rate(video, picture)
    check_coding(video, picture)
    check_bit_rate(video, made)


def check_rate(video: VideoSettings, picture: dict[str, Any]) -> None:
    rate = Fraction(25) if video.frame_rate == "auto" else NOMINAL[video.frame_rate]
    if video.codec is VideoCodec.GIF:  # whose pictures last whole hundredths of a second
        assert float(Fraction(picture["avg_frame_rate"])) == pytest.approx(float(rate), rel=0.02)
    else:
        assert Fraction(picture["avg_frame_rate"]) == rate
    assert int(picture["nb_read_packets"]) == pytest.approx(SECONDS * rate, abs=1)


def check_coding(video: VideoSettings, picture: dict[str, Any]) -> None:
    if video.codec is VideoCodec.H264:
        assert picture["profile"] == PROFILES[video.profile or "high"]
        assert picture["level"] == round(float(video.level or 0) * 10)
        assert video.max_reference_frames is None or picture["refs"] <= video.max_reference_frames
    if video.codec is not VideoCodec.GIF:
        assert picture["pix_fmt"] == video.chroma_subsampling
    interlaced = video.interlaced_mode is InterlacedMode.TOP_FIRST
    assert picture.get("field_order", "unknown") in (("tt", "tb") if interlaced else ("progressive", "unknown"))


def check_bit_rate(video: VideoSettings, made: Made) -> None:
    """At no more than the peak rate, after a full buffer at the start."""
    if video.bit_rate is None or video.codec is VideoCodec.GIF:
        return
    peak = video.max_bit_rate or 2 * video.bit_rate
    stream = ffprobe(made.file(), "-select_streams", "v", "-show_entries", "packet=size")
    bits = sum(int(packet["size"]) for packet in stream["packets"]) * 8
    assert bits <= peak * SECONDS + (video.buffer_size or 10 * peak)
    assert bits / SECONDS <= 2.5 * video.bit_rate


def check_sounds(audio: AudioSettings | None, sounds: list[dict[str, Any]]) -> None:
    if audio is None:
        assert sounds == []
        return
    per_track = audio.packing_mode is PackingMode.ONE_CHANNEL_PER_TRACK
    assert len(sounds) == (audio.channels if per_track else 1)
    for sound in sounds:
        assert sound["codec_name"] == (
            DEPTHS[audio.bit_depth or 16] if audio.codec is AudioCodec.PCM else audio.codec.value
        )
        assert sound["sample_rate"] == str(audio.sample_rate)
        assert sound["channels"] == (1 if per_track else audio.channels)
        if audio.profile is not None:
            assert sound["profile"] == "LC"
        if audio.codec is AudioCodec.FLAC:
            assert sound["bits_per_raw_sample"] == str(audio.bit_depth)
        if audio.codec in (AudioCodec.MP2, AudioCodec.MP3):
            assert int(sound["bit_rate"]) == audio.bit_rate


def check_thumbnails(settings: Settings, made: Made) -> None:
    if settings.thumbnails is None:
        assert made.files(0, "thumbnail") == []
        return
    [only] = made.files(0, "thumbnail")
    [picture] = ffprobe(only)["streams"]
    assert (picture["codec_name"], picture["width"], picture["height"]) == ("png", 192, 108)
