"""How settings become options of encoders."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from agent.media import encoders
from agent.media.encoders import Device
from shared.jobspec import AudioCodec, AudioSettings, Container, VideoCodec, VideoSettings

RATE = Fraction(30000, 1001)


def video(codec: str = "h264", **fields: Any) -> VideoSettings:
    return VideoSettings.model_validate({"codec": codec, **fields}, strict=False)


def audio(codec: str, **fields: Any) -> AudioSettings:
    return AudioSettings.model_validate({"codec": codec, **fields}, strict=False)


def options(settings: VideoSettings, device: Device = Device.CPU) -> dict[str, Any]:
    return encoders.video_encoder(device, settings, interlaced=False).options(settings)


def test_every_codec_has_an_encoder_in_software() -> None:
    assert {codec for device, codec in encoders.VIDEO_ENCODERS if device is Device.CPU} == set(VideoCodec)
    assert set(encoders.AUDIO_ENCODERS) | {AudioCodec.PCM} == set(AudioCodec)


def test_hardware_makes_what_it_can_and_software_the_rest() -> None:
    assert encoders.video_encoder(Device.NVENC, video(), interlaced=False).name == "h264_nvenc"
    assert encoders.video_encoder(Device.NVENC, video(), interlaced=True).name == "libx264"
    assert encoders.video_encoder(Device.NVENC, video("vp9"), interlaced=False).name == "libvpx-vp9"


def test_an_average_rate_is_bounded_by_its_buffer() -> None:
    given = options(video(bit_rate=1_000_000, max_bit_rate=1_200_000, buffer_size=3_000_000))
    assert (given["b:v"], given["maxrate"], given["bufsize"]) == (1_000_000, 1_200_000, 3_000_000)


def test_an_average_rate_alone_may_double_for_a_while() -> None:
    given = options(video(bit_rate=1_000_000))
    assert (given["b:v"], given["maxrate"], given["bufsize"]) == (1_000_000, 2_000_000, 20_000_000)


def test_quality_replaces_the_rate() -> None:
    assert options(video(quality=20))["crf"] == 20
    assert options(video(quality=20), Device.NVENC)["cq"] == 20
    assert "b:v" not in options(video())


def test_few_reference_frames_leave_no_room_for_pyramids() -> None:
    assert options(video(max_reference_frames=1))["bf"] == 0
    assert options(video(max_reference_frames=3))["x264-params"] == "b-pyramid=none"
    assert "x264-params" not in options(video(max_reference_frames=4))


def test_hevc_refers_to_no_more_frames_than_it_allows() -> None:
    assert "ref=6" in options(video("hevc", max_reference_frames=16))["x265-params"].split(":")
    assert "ref=2" in options(video("hevc", max_reference_frames=2))["x265-params"].split(":")


def test_pictures_of_av1_that_are_very_large_are_made_by_few_threads() -> None:
    assert "svtav1-params" not in options(video("av1"))
    assert options(video("av1", max_width=3840, max_height=2160))["svtav1-params"] == "lp=1"


def test_headers_tell_the_order_of_fields() -> None:
    assert options(video(interlaced_mode="BottomFirst"))["x264-params"] == "bff=1"
    both = video(interlaced_mode="BottomFirst", max_reference_frames=3)
    assert options(both)["x264-params"] == "b-pyramid=none:bff=1"
    assert "x264-params" not in options(video(interlaced_mode="TopFirst"))


@pytest.mark.parametrize(("count", "option"), [("infinite", 0), (0, -1), (3, 3)])
def test_gifs_loop_as_often_as_asked(count: str | int, option: int) -> None:
    assert options(video("gif", loop_count=count)) == {"loop": option}


def test_key_frames_are_forced_where_segments_begin() -> None:
    settings = video(keyframes_max_distance=90)
    encoder = encoders.video_encoder(Device.CPU, settings, interlaced=False)
    assert encoders.key_frames(settings, encoder, rate=RATE, every=Fraction(3003, 500)) == {
        "g": 90,
        "force_key_frames": "expr:gte(t,n_forced*3003/500-0.004)",
        "sc_threshold": 0,
    }


@pytest.mark.parametrize(
    ("codec", "most", "pictures", "group"),
    [
        ("h264", 90, 100, 50),
        ("h264", 100, 100, 100),
        ("h264", 250, 100, 100),
        ("h264", 50, 59, 30),
        ("av1", 90, 100, 50),
        ("av1", 240, 100, 100),
        ("av1", 50, 60, 30),
        ("av1", 50, 59, 59),
    ],
)
def test_segments_are_cut_into_groups_of_one_length(codec: str, most: int, pictures: int, group: int) -> None:
    settings = video(codec, keyframes_max_distance=most, fixed_gop=True)
    encoder = encoders.video_encoder(Device.CPU, settings, interlaced=False)
    assert encoders.key_frames(settings, encoder, rate=RATE, every=pictures / RATE)["g"] == group


def test_a_fixed_gop_has_one_length() -> None:
    settings = video("mpeg2", keyframes_max_distance=15, fixed_gop=True)
    encoder = encoders.video_encoder(Device.CPU, settings, interlaced=False)
    assert encoders.key_frames(settings, encoder, rate=RATE, every=None) == {
        "g": 15,
        "keyint_min": 15,
        "mpv_flags": "+strict_gop",
        "sc_threshold": 1_000_000_000,
    }


@pytest.mark.parametrize(
    ("codec", "container", "asked", "source", "rate"),
    [
        ("aac", Container.MP4, "auto", 48000, 48000),
        ("aac", Container.MP4, "auto", 8000, 22050),
        ("aac", Container.MP4, "auto", 192000, 96000),
        ("mp3", Container.MP3, "auto", 96000, 48000),
        ("mp3", Container.FLV, "auto", 32000, 44100),
        ("pcm", Container.MXF, "auto", 44100, 48000),
        ("aac", Container.MP4, 22050, 48000, 22050),
    ],
)
def test_the_sample_rate_is_one_that_codec_and_container_carry(
    codec: str, container: Container, asked: str | int, source: int, rate: int
) -> None:
    assert encoders.sample_rate(audio(codec, sample_rate=asked), container, source) == rate


def test_channels_are_as_many_as_asked_for_and_possible() -> None:
    assert encoders.channel_count(audio("aac"), 6) == 6
    assert encoders.channel_count(audio("mp3"), 6) == 2
    assert encoders.channel_count(audio("aac", channels=1), 6) == 1


@pytest.mark.parametrize(
    ("codec", "asked", "rate", "channels", "made"),
    [
        ("mp2", 200_000, 48000, 2, 192_000),
        ("mp3", 512_000, 44100, 2, 320_000),
        ("mp3", 512_000, 22050, 2, 160_000),
        ("vorbis", 512_000, 44100, 1, 240_000),
        ("vorbis", 16_000, 44100, 2, 64_000),
        ("aac", 160_000, 44100, 2, 160_000),
        ("opus", 512_000, 48000, 1, 256_000),
        ("aac", None, 44100, 2, 128_000),
    ],
)
def test_the_bit_rate_is_the_nearest_that_the_codec_has(
    codec: str, asked: int | None, rate: int, channels: int, made: int
) -> None:
    assert encoders.audio_options(audio(codec, bit_rate=asked), rate=rate, channels=channels)["b:a"] == made


def test_lossless_sound_has_a_depth_and_no_rate() -> None:
    flac = encoders.audio_options(audio("flac", bit_depth=24), rate=48000, channels=2)
    assert flac == {"c:a": "flac", "bits_per_raw_sample": 24}
    assert encoders.audio_encoder(audio("pcm", bit_depth=24)).name == "pcm_s24le"
