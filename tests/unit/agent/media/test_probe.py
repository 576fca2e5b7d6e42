"""What ffprobe's answers become, and what is refused."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from agent.media import MediaRefused, detected, ffprobe_argv, parse_probe
from shared.failures import Cause, FailureCode

VIDEO: dict[str, Any] = {
    "index": 0,
    "codec_type": "video",
    "codec_name": "h264",
    "width": 1920,
    "height": 1080,
    "pix_fmt": "yuv420p",
    "sample_aspect_ratio": "1:1",
    "field_order": "progressive",
    "r_frame_rate": "30000/1001",
    "avg_frame_rate": "30000/1001",
    "start_time": "0.000000",
    "duration": "10.010000",
    "nb_frames": "300",
}
AUDIO: dict[str, Any] = {
    "index": 1,
    "codec_type": "audio",
    "codec_name": "aac",
    "sample_rate": "44100",
    "channels": 2,
    "start_time": "0.000000",
    "duration": "10.000000",
}


def answer(*streams: dict[str, Any], **form: Any) -> bytes:
    container = {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration": "10.010000", "start_time": "0.000000"}
    return json.dumps({"streams": streams, "format": container | form}).encode()


def refusal(output: bytes, *, size: int = 1000, stderr: bytes = b"") -> MediaRefused:
    with pytest.raises(MediaRefused) as refused:
        parse_probe(output, size=size, stderr=stderr)
    assert refused.value.failure.cause is Cause.INPUT
    return refused.value


def test_the_whole_command_line() -> None:
    formats = (
        "aac,ac3,aiff,amr,asf,avi,caf,dv,eac3,flac,flv,gif,h264,hevc,ivf,m4v,matroska,mov,mp3,mp4,mpeg,mpegts,mpegvideo,mxf,ogg,"
        "w64,wav,webm"
    )
    assert (
        ffprobe_argv("in/0")
        == (
            f"ffprobe -hide_banner -v error -protocol_whitelist file,pipe -format_whitelist {formats} -max_streams 64"
            " -max_pixels 33177600 -probesize 50M -analyzeduration 30M -of json -show_format -show_streams file:in/0"
        ).split()
    )


def test_a_movie_has_facts_of_picture_and_sound() -> None:
    facts = parse_probe(answer(VIDEO, AUDIO), size=5_000_000)
    assert facts.video is not None
    assert facts.audio is not None
    assert (facts.video.width, facts.video.height, facts.video.frame_rate) == (1920, 1080, Fraction(30000, 1001))
    assert (facts.video.duration, facts.video.frames, facts.video.interlaced) == (10.01, 300, False)
    assert (facts.audio.index, facts.audio.channels, facts.audio.sample_rate) == (1, 2, 44100)
    assert (facts.duration, facts.duration_is_exact) == (10.01, True)


def test_detected_properties_are_those_that_are_seen() -> None:
    turned = VIDEO | {"side_data_list": [{"side_data_type": "Display Matrix", "rotation": -90}]}
    properties = detected(parse_probe(answer(turned), size=5_000_000))
    assert properties.model_dump() == {
        "width": 1080,
        "height": 1920,
        "frame_rate": 29.97,
        "duration": 10.01,
        "size": 5_000_000,
    }


def test_a_sound_file_has_no_width() -> None:
    properties = detected(parse_probe(answer(AUDIO | {"index": 0}, format_name="mp3"), size=100))
    assert (properties.width, properties.height, properties.frame_rate) == (None, None, None)


@pytest.mark.parametrize(("degrees", "rotation"), [(-90, 90), (90, 270), (180, 180), (-180, 180), (0, 0)])
def test_rotation_is_clockwise(degrees: int, rotation: int) -> None:
    facts = parse_probe(answer(VIDEO | {"side_data_list": [{"rotation": degrees}]}), size=1)
    assert facts.video is not None
    assert facts.video.rotation == rotation


def test_oblong_pixels_interlacing_and_colours_are_seen() -> None:
    facts = parse_probe(
        answer(
            VIDEO | {"sample_aspect_ratio": "64:45", "field_order": "tb", "color_space": "bt709", "color_range": "pc"}
        ),
        size=1,
    )
    assert facts.video is not None
    assert facts.video.pixel_aspect == Fraction(64, 45)
    assert (facts.video.interlaced, facts.video.color_space, facts.video.full_range) == (True, "bt709", True)


def test_an_unknown_shape_of_pixels_is_square() -> None:
    facts = parse_probe(answer(VIDEO | {"sample_aspect_ratio": "0:1"}), size=1)
    assert facts.video is not None
    assert facts.video.pixel_aspect == 1


def test_the_cover_of_an_album_is_no_picture() -> None:
    cover = VIDEO | {"codec_name": "mjpeg", "disposition": {"attached_pic": 1}}
    assert parse_probe(answer(cover, AUDIO), size=1).video is None


def test_streams_that_start_late_last_longer() -> None:
    facts = parse_probe(answer(VIDEO | {"start_time": "2.5"}, AUDIO | {"start_time": "2.0"}, start_time="2.0"), size=1)
    assert facts.video is not None
    assert facts.video.start == 0.5


def test_durations_of_matroska_stand_in_tags() -> None:
    stream = {name: value for name, value in VIDEO.items() if name != "duration"} | {
        "tags": {"DURATION": "00:01:05.250000000"}
    }
    facts = parse_probe(answer(stream, format_name="matroska,webm"), size=1)
    assert facts.video is not None
    assert facts.video.duration == 65.25


def test_durations_of_transport_streams_are_guesses() -> None:
    assert not parse_probe(answer(VIDEO, format_name="mpegts"), size=1).duration_is_exact


@pytest.mark.parametrize("output", [b"", b"{}", b"\xff", b"[]", answer()])
def test_what_has_no_streams_is_refused(output: bytes) -> None:
    assert refusal(output).failure.code is FailureCode.BAD_INPUT_FORMAT


def test_each_refusal_says_what_to_do() -> None:
    assert "empty" in str(refusal(b"{}", size=0))
    assert "playlist" in str(refusal(b"{}", stderr=b"Format not on whitelist 'mov,mp4'\nfile:in/0: Invalid argument\n"))
    assert "incomplete" in str(refusal(b"{}", stderr=b"[mov @ 0x1] moov atom not found\n"))
    assert "right file" in str(refusal(b"{}", stderr=b"file:in/0: Invalid data found when processing input\n"))


def test_too_many_streams_are_refused() -> None:
    assert refusal(answer(*[VIDEO] * 65)).failure.code is FailureCode.INPUT_UNSUPPORTED


def test_too_many_pixels_are_refused() -> None:
    assert refusal(answer(VIDEO | {"width": 16384, "height": 16384})).failure.code is FailureCode.PICTURE_TOO_LARGE


def test_a_stream_without_decoder_is_none() -> None:
    undecodable = {name: value for name, value in VIDEO.items() if name != "pix_fmt"}
    assert refusal(answer(undecodable)).failure.code is FailureCode.BAD_INPUT_FORMAT


@pytest.mark.parametrize(
    ("streams", "film", "sound"),
    [
        ((VIDEO, AUDIO, VIDEO | {"index": 2}, AUDIO | {"index": 3}), 0, 1),
        ((VIDEO | {"codec_name": "mjpeg"}, AUDIO, VIDEO | {"index": 2}), 2, 1),
        ((VIDEO | {"codec_name": "mjpeg"}, AUDIO), 0, 1),
        ((VIDEO, AUDIO, AUDIO | {"index": 2, "disposition": {"default": 1}}), 0, 2),
        ((VIDEO, AUDIO, VIDEO | {"index": 2, "disposition": {"default": 1}}), 2, 1),
        (
            (VIDEO | {"codec_name": "png", "disposition": {"default": 1}}, VIDEO | {"index": 1}, AUDIO | {"index": 2}),
            1,
            2,
        ),
    ],
    ids=["the first", "no still", "a still alone", "the default sound", "the default picture", "no still by default"],
)
def test_of_several_streams_one_is_the_film(streams: tuple[dict[str, Any], ...], film: int, sound: int) -> None:
    facts = parse_probe(answer(*streams), size=1)
    assert facts.video is not None
    assert facts.audio is not None
    assert (facts.video.index, facts.audio.index) == (film, sound)
