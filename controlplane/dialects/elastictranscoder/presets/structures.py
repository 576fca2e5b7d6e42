"""The structures of a preset on the wire: their members, what each may be, and what it is in the native settings.

All of them are texts there. A member's name is that of the native field, in the wire's spelling; where they differ, `Native` says
what it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from controlplane.dialects.elastictranscoder.conversion import Native, Structure
from controlplane.dialects.elastictranscoder.members import (
    ASCII,
    PRINTABLE,
    AspectRatio,
    FrameRate,
    Id,
    Pixels,
    SizingPolicy,
)
from shared.jobspec import sizing


def _named(native_of: Mapping[str, Any]) -> Native:
    """Values that have other names; native ones that the wire has no name for are told as they are."""
    wire_of = {native: wire for wire, native in native_of.items()}
    return Native(read=lambda value: native_of.get(value, value), write=lambda value: wire_of.get(value, str(value)))


def _pixels(length: str) -> int | None:
    return None if length == "auto" else int(length)


def _kilobits(rate: str) -> int | str:
    return rate if rate == "auto" else int(rate) * 1000


def _in_kilobits(rate: int | str) -> str:
    return rate if isinstance(rate, str) else str(round(rate / 1000))


def _number(text: str) -> int | str:
    """Of rates and channels, which may be auto as well."""
    return int(text) if text.isdecimal() else text


def _percent(number: float) -> str:
    return f"{number:g}"


RATE: Final = Native(read=_kilobits, write=_in_kilobits)
NUMBER: Final = Native(read=_number, write=str)
BOUND: Final = Native(read=_pixels, write=str)
WIDTH: Final = Native(read=lambda length: _pixels(length) or sizing.DEFAULT_WIDTH, write=str)
HEIGHT: Final = Native(read=lambda length: _pixels(length) or sizing.DEFAULT_HEIGHT, write=str)
"""Of thumbnails, which natively are small where nothing is told; auto was large."""
PERCENT: Final = Native(read=float, write=_percent)
FLAG: Final = _named({"true": True, "false": False})
SIGN: Final = Native(
    "signed", read=lambda said: said == "Signed", write=lambda signed: "Signed" if signed else "Unsigned"
)

Digits = Annotated[str, Field(pattern=ASCII + r"^\d{1,9}$")]
Rate = Annotated[str, Field(pattern=ASCII + r"^\d{1,6}$")]
Length = Annotated[str, Field(pattern=ASCII + r"(^\d{1,3}(\.\d{0,5})?%$)|(^\d{1,4}?px$)")]
PaddingPolicy = Literal["Pad", "NoPad"]
VIDEO_CODEC = r"(^H\.264$)|(^vp8$)|(^vp9$)|(^mpeg2$)|(^gif$)"
Container = Literal[
    "mp4", "ts", "webm", "mp3", "flac", "oga", "ogg", "fmp4", "mpg", "flv", "gif", "mxf", "wav", "mp2"
]  # fmt: skip


class VideoCodecOptions(Structure):
    """Natively these stand beside the others."""

    profile: Literal["baseline", "main", "high", "0", "1", "2", "3"] | None = None
    level: Literal["1", "1b", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3", "3.1", "3.2", "4", "4.1"] | None = None
    max_reference_frames: Annotated[Digits, NUMBER] | None = None
    max_bit_rate: Annotated[Rate, RATE] | None = None
    buffer_size: Annotated[Rate, RATE] | None = None
    interlaced_mode: Literal["Progressive", "TopFirst", "BottomFirst", "Auto"] | None = None
    color_space_conversion_mode: (
        Annotated[Literal["None", "Bt709ToBt601", "Bt601ToBt709", "Auto"], Native("color_space_conversion")] | None
    ) = None
    chroma_subsampling: Literal["yuv420p", "yuv422p"] | None = None
    loop_count: (
        Annotated[
            str,
            Field(pattern=ASCII + r"^(Infinite|\d{1,3})$"),
            Native(read=lambda count: _number(count.lower()), write=lambda count: str(count).capitalize()),
        ]
        | None
    ) = None


class PresetWatermark(Structure):
    id: Annotated[str, Field(min_length=1, max_length=40)]
    max_width: Length | None = None
    max_height: Length | None = None
    sizing_policy: Literal["Fit", "Stretch", "ShrinkToFit"] | None = None
    horizontal_align: Literal["Left", "Right", "Center"] | None = None
    horizontal_offset: Length | None = None
    vertical_align: Literal["Top", "Bottom", "Center"] | None = None
    vertical_offset: Length | None = None
    opacity: Annotated[str, Field(pattern=ASCII + r"^\d{1,3}(\.\d{0,20})?$"), PERCENT] | None = None
    target: Literal["Content", "Frame"] | None = None


class VideoParameters(Structure):
    codec: Annotated[str, Field(pattern=VIDEO_CODEC), _named({"H.264": "h264"})] | None = None
    codec_options: VideoCodecOptions | None = None
    keyframes_max_dist: (
        Annotated[
            str,
            Field(pattern=ASCII + r"^\d{1,6}$"),
            Native("keyframes_max_distance", read=int, write=str),
        ]
        | None
    ) = None
    fixed_gop: Annotated[Literal["true", "false"], FLAG] | None = Field(None, alias="FixedGOP")
    bit_rate: Annotated[str, Field(pattern=ASCII + r"(^\d{2,5}$)|(^auto$)"), RATE] | None = None
    frame_rate: FrameRate | None = None
    max_frame_rate: Literal["10", "15", "23.97", "24", "25", "29.97", "30", "50", "60"] | None = None
    resolution: Annotated[str, Field(pattern=ASCII + r"(^auto$)|(^\d{1,5}x\d{1,5}$)")] | None = None
    aspect_ratio: AspectRatio | None = None
    max_width: Annotated[Pixels, BOUND] | None = None
    max_height: Annotated[Pixels, BOUND] | None = None
    display_aspect_ratio: AspectRatio | None = None
    sizing_policy: SizingPolicy | None = None
    padding_policy: PaddingPolicy | None = None
    watermarks: Annotated[tuple[PresetWatermark, ...], Field(fail_fast=True)] | None = None


class AudioCodecOptions(Structure):
    """Natively these stand beside the others."""

    profile: Literal["auto", "AAC-LC", "HE-AAC", "HE-AACv2"] | None = None
    bit_depth: Annotated[Literal["8", "16", "24", "32"], NUMBER] | None = None
    bit_order: Literal["LittleEndian"] | None = None
    signed: Annotated[Literal["Unsigned", "Signed"], SIGN] | None = None


class AudioParameters(Structure):
    codec: Annotated[Literal["AAC", "vorbis", "mp3", "mp2", "pcm", "flac"], _named({"AAC": "aac"})] | None = None
    codec_options: AudioCodecOptions | None = None
    sample_rate: Annotated[Literal["auto", "22050", "32000", "44100", "48000", "96000", "192000"], NUMBER] | None = None
    bit_rate: Annotated[str, Field(pattern=ASCII + r"^\d{1,3}$"), RATE] | None = None
    channels: Annotated[Literal["auto", "0", "1", "2"], NUMBER] | None = None
    audio_packing_mode: (
        Annotated[
            Literal["SingleTrack", "OneChannelPerTrack", "OneChannelPerTrackWithMosTo8Tracks"], Native("packing_mode")
        ]
        | None
    ) = None


class Thumbnails(Structure):
    format: Literal["jpg", "png"] | None = None
    interval: Annotated[str, Field(pattern=ASCII + r"^\d{1,5}$"), NUMBER] | None = None
    resolution: Annotated[str, Field(pattern=ASCII + r"^\d{1,5}x\d{1,5}$")] | None = None
    aspect_ratio: AspectRatio | None = None
    max_width: Annotated[Pixels, WIDTH] | None = Field(None, description="192 where neither it nor Resolution is sent.")
    max_height: Annotated[Pixels, HEIGHT] | None = Field(
        None, description="108 where neither it nor Resolution is sent."
    )
    sizing_policy: SizingPolicy | None = None
    padding_policy: PaddingPolicy | None = None


class CreatePreset(Structure):
    name: Annotated[str, Field(min_length=1, max_length=40, pattern=PRINTABLE)]
    description: Annotated[str, Field(max_length=255, pattern=PRINTABLE)] | None = None
    container: Container
    video: VideoParameters | None = None
    audio: AudioParameters | None = None
    thumbnails: Thumbnails | None = None


class NamedPreset(Structure):
    id: Id
