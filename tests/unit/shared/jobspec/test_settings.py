"""Settings that no encoder or container here can satisfy are refused by the name of the field at fault."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.jobspec import Settings

H264: dict[str, Any] = {"codec": "h264"}
MPEG2: dict[str, Any] = {"codec": "mpeg2"}
AAC: dict[str, Any] = {"codec": "aac"}
PCM: dict[str, Any] = {"codec": "pcm"}
MP4: dict[str, Any] = {"container": "mp4"}
SLOT: dict[str, Any] = {
    "id": "TopLeft", "max_width": "10%", "max_height": "64px", "horizontal_align": "Left", "vertical_align": "Top"
}  # fmt: skip
CENTERED = SLOT | {"horizontal_align": "Center", "vertical_align": "Center"}


def field_at_fault(**settings: Any) -> str:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate(settings, strict=False)
    [error] = refusal.value.errors()
    return "/".join(map(str, (*error["loc"], error["ctx"]["field"])))


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("video", {"container": "mp4"}),
        ("video/codec", {"container": "webm", "video": H264}),
        ("audio/codec", {"container": "webm", "audio": AAC}),
        ("video/fixed_gop", {"container": "fmp4", "video": H264}),
        ("video/quality", {"container": "mp4", "video": H264 | {"quality": 20, "bit_rate": 100_000}}),
        ("video/profile", {"container": "mp4", "video": H264 | {"profile": "2"}}),
        ("video/profile", {"container": "webm", "video": {"codec": "vp9", "profile": "1"}}),
        ("video/max_reference_frames", {"container": "webm", "video": {"codec": "vp8", "max_reference_frames": 3}}),
        ("video/max_reference_frames", MP4 | {"video": H264 | {"max_reference_frames": 0, "fixed_gop": True}}),
        ("video/max_width", MP4 | {"video": H264 | {"resolution": "640x480", "max_width": 640}}),
        ("video/sizing_policy", MP4 | {"video": H264 | {"aspect_ratio": "4:3", "sizing_policy": "Fit"}}),
        ("video/resolution", MP4 | {"video": H264 | {"resolution": "641x480"}}),
        ("video/resolution", MP4 | {"video": H264 | {"resolution": "640x4098"}}),
        ("thumbnails/max_height", MP4 | {"video": H264, "thumbnails": {"resolution": "192x109", "max_height": 100}}),
        ("thumbnails/resolution", MP4 | {"video": H264, "thumbnails": {"resolution": "192x15"}}),
        ("thumbnails/aspect_ratio", MP4 | {"video": H264, "thumbnails": {"aspect_ratio": "4:3"}}),
        ("video/level", {"container": "webm", "video": {"codec": "vp9", "level": "3"}}),
        ("video/max_bit_rate", {"container": "mp4", "video": H264 | {"bit_rate": 200_000, "max_bit_rate": 100_000}}),
        ("video/max_frame_rate", {"container": "mp4", "video": H264 | {"frame_rate": "25", "max_frame_rate": "30"}}),
        ("video/chroma_subsampling", {"container": "mp4", "video": H264 | {"chroma_subsampling": "yuv422p"}}),
        ("video/frame_rate", {"container": "mpg", "video": MPEG2 | {"frame_rate": "15"}}),
        ("video/interlaced_mode", {"container": "webm", "video": {"codec": "vp8", "interlaced_mode": "TopFirst"}}),
        ("video/interlaced_mode", MP4 | {"video": H264 | {"profile": "baseline", "interlaced_mode": "Auto"}}),
        ("video/quality", {"container": "gif", "video": {"codec": "gif", "quality": 20}}),
        ("video/quality", MP4 | {"video": H264 | {"quality": 0}}),
        ("video/bit_rate", {"container": "gif", "video": {"codec": "gif", "bit_rate": 400_000}}),
        ("video/bit_rate", {"container": "gif", "video": {"codec": "gif", "bit_rate": "auto"}}),
        ("video/frame_rate", {"container": "gif", "video": {"codec": "gif", "frame_rate": "60"}}),
        ("video/max_width", {"container": "mpg", "video": MPEG2 | {"max_width": 4096}}),
        ("video/display_aspect_ratio", {"container": "mpg", "video": MPEG2 | {"display_aspect_ratio": "1:1"}}),
        ("video/aspect_ratio", {"container": "mpg", "video": MPEG2 | {"aspect_ratio": "3:2"}}),
        ("video/resolution", {"container": "mpg", "video": MPEG2 | {"resolution": "640x4096"}}),
        ("video/max_height", MP4 | {"video": {"codec": "av1", "max_height": 62}}),
        ("video", {"container": "mxf", "audio": PCM}),
        ("video/loop_count", MP4 | {"video": H264 | {"loop_count": 3}}),
        ("video/fixed_gop", {"container": "gif", "video": {"codec": "gif", "fixed_gop": True}}),
        ("video/keyframes_max_distance", {"container": "gif", "video": {"codec": "gif", "keyframes_max_distance": 30}}),
        ("video/max_bit_rate", MP4 | {"video": {"codec": "av1", "bit_rate": 100_000, "max_bit_rate": 200_000}}),
        ("video/max_bit_rate", {"container": "mpg", "video": MPEG2 | {"max_bit_rate": 200_000}}),
        ("video/max_bit_rate", {"container": "gif", "video": {"codec": "gif", "max_bit_rate": 200_000}}),
        ("video/buffer_size", MP4 | {"video": H264 | {"buffer_size": 200_000}}),
        ("video/buffer_size", MP4 | {"video": {"codec": "av1", "bit_rate": 100_000, "buffer_size": 200_000}}),
        ("video/buffer_size", {"container": "webm", "video": {"codec": "vp9", "max_bit_rate": 100_000, "buffer_size": 200_000}}),
        ("audio/signed", {"container": "mp4", "audio": AAC | {"signed": False}}),
        ("audio/loudness", MP4 | {"video": H264, "audio": AAC | {"channels": 0, "loudness": {}}}),
        ("audio/profile", {"container": "mp4", "audio": AAC | {"profile": "HE-AAC"}}),
        ("audio/profile", {"container": "mp3", "audio": {"codec": "mp3", "profile": "auto"}}),
        ("audio/bit_rate", {"container": "wav", "audio": PCM | {"bit_rate": 128_000}}),
        ("audio/bit_depth", {"container": "flac", "audio": {"codec": "flac", "bit_depth": 32}}),
        ("audio/signed", {"container": "wav", "audio": PCM | {"bit_depth": 8}}),
        ("audio/signed", {"container": "wav", "audio": PCM | {"bit_depth": 16, "signed": False}}),
        ("audio/sample_rate", {"container": "mp3", "audio": {"codec": "mp3", "sample_rate": 96000}}),
        ("audio/packing_mode", {"container": "mp4", "audio": AAC | {"packing_mode": "OneChannelPerTrack"}}),
        ("audio/packing_mode", {"container": "wav", "audio": PCM | {"packing_mode": "OneChannelPerTrack"}}),
        ("audio/bit_order", {"container": "mp4", "audio": AAC | {"bit_order": "LittleEndian"}}),
        ("audio/channels", {"container": "mp4", "audio": AAC | {"channels": 0}}),
        ("audio/bit_depth", {"container": "mxf", "audio": PCM | {"bit_depth": 32}}),
        ("audio/sample_rate", {"container": "mxf", "audio": PCM | {"sample_rate": 44100}}),
        ("audio/sample_rate", {"container": "flv", "audio": {"codec": "mp3", "sample_rate": 32000}}),
        ("thumbnails", {"container": "mp4", "audio": AAC, "thumbnails": {}}),
        ("video/watermarks/0/horizontal_offset", MP4 | {"video": H264 | {"watermarks": [CENTERED | {"horizontal_offset": "1px"}]}}),
        ("video/watermarks/0/vertical_offset", MP4 | {"video": H264 | {"watermarks": [CENTERED | {"vertical_offset": "5%"}]}}),
        ("video/watermarks", {"container": "mp4", "video": H264 | {"watermarks": [SLOT, SLOT]}}),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_by_its_field(field: str, settings: dict[str, Any]) -> None:
    assert field_at_fault(**settings) == field


def test_eight_bits_of_pcm_are_unsigned() -> None:
    settings = Settings.model_validate(
        {"container": "wav", "audio": PCM | {"bit_depth": 8, "signed": False}}, strict=False
    )
    assert settings.audio is not None
    assert not settings.audio.signed


def test_a_sample_begins_with_its_least_significant_byte_and_no_other() -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate({"container": "wav", "audio": PCM | {"bit_order": "BigEndian"}}, strict=False)
    [error] = refusal.value.errors()
    assert error["loc"] == ("audio", "bit_order")


@pytest.mark.parametrize("length", ["101%", "100.5%", "10", "10em", "-1px", "12345px", "1e1%", "0px", "0.0%"])
@pytest.mark.parametrize("side", ["max_width", "max_height"])
def test_a_slot_has_a_size_that_can_be_seen(side: str, length: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate(
            {"container": "mp4", "video": H264 | {"watermarks": [SLOT | {side: length}]}}, strict=False
        )
    [error] = refusal.value.errors()
    assert error["loc"] == ("video", "watermarks", 0, side)
