"""The system presets: Elastic Transcoder's sixty-two, under their own ids, so that jobs written for it find them here.

Rows, in the order of their ids, say what differs; the builders below the rows add what a family has in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from shared.ids import PresetId
from shared.jobspec.settings import Settings
from shared.jobspec.watermarks import WatermarkSlot


@dataclass(frozen=True)
class SystemPreset:
    id: PresetId
    name: str
    description: str
    settings: Settings


Fields = dict[str, Any]
"""Fields of the job document."""

_GENERIC: Final = (
    # suffix, name, width, height, frame rate, level, kbit/s of picture and sound
    ("000001", "1080p", 1920, 1080, "29.97", "4", 5400, 160),
    ("000010", "720p", 1280, 720, "29.97", "3.1", 2400, 160),
    ("000020", "480p 16:9", 854, 480, "29.97", "3.1", 1200, 128),
    ("000030", "480p 4:3", 640, 480, "29.97", "3", 900, 128),
    ("000040", "360p 16:9", 640, 360, "29.97", "3", 720, 128),
    ("000050", "360p 4:3", 480, 360, "29.97", "3", 600, 128),
    ("000061", "320x240", 320, 240, "15", "1.3", 300, 64),
)
_IPHONES: Final = "iPhone 4s and above, iPad 3G and above, iPad mini, Samsung Galaxy S2/S3/Tab 2"
_DEVICES: Final = (
    # suffix, name, description, width, height, profile, level, kbit/s of picture, sample rate
    ("100020", "iPhone4S", _IPHONES, 1920, 1080, "high", "4.1", 5000, 44100),
    ("100040", "iPod Touch", "iPhone 1, 3, iPod classic", 640, 480, "baseline", "3", 1500, 44100),
    ("100050", "Apple TV 2G", "Apple TV 2G", 1280, 720, "main", "3.1", 5000, 44100),
    ("100060", "Apple TV 3G", "Apple TV 3G, Roku HD/2 XD", 1920, 1080, "high", "4", 5000, 44100),
    ("100070", "Web", "Facebook, SmugMug, Vimeo, YouTube", 1280, 720, "main", "3.1", 2200, 44100),
    ("100080", "KindleFireHD", "Kindle Fire HD", 1280, 720, "main", "4", 2200, 48000),
    ("100090", "KindleFireHD8.9", "Kindle Fire HD 8.9", 1920, 1080, "main", "4", 5400, 48000),
    ("100150", "KindleFireHDX", "Kindle Fire HDX, Kindle Fire HDX 8.9", 1920, 1080, "main", "4.1", 5000, 48000),
)  # fmt: skip
_AAC: Final = (
    # suffix, kbit/s, channels, profile
    ("100110", 256, 2, "AAC-LC"),
    ("100120", 160, 2, "AAC-LC"),
    ("100130", 128, 2, "AAC-LC"),
    ("100141", 64, 1, "auto"),
)
_BROADCAST: Final = (
    # suffix, name, container, width, height, frame rate, frames of a GOP, kbit/s
    ("100160", "NTSC - MPG", "mpg", 720, 480, "29.97", 15, 6_500),
    ("100170", "PAL - MPG", "mpg", 720, 576, "25", 12, 6_500),
    ("100180", "Full HD 1080i60 - MP4", "mp4", 1920, 1080, "29.97", 15, 10_000),
    ("100190", "Full HD 1080i50 - MP4", "mp4", 1920, 1080, "25", 12, 10_000),
    ("100220", "Full HD 1080i60 - XDCAM422", "mxf", 1920, 1080, "29.97", 15, 50_000),
    ("100230", "Full HD 1080i50 - XDCAM422", "mxf", 1920, 1080, "25", 12, 50_000),
)
_WEBM: Final = (
    # suffix, name, codec, profile, width, height, frame rate, kbit/s of picture and sound
    ("100240", "Webm 720p", "vp8", "0", 1280, 720, "29.97", 2400, 160),
    ("100250", "Webm VP9 720p", "vp9", None, 1280, 720, "30", 1200, 128),
    ("100260", "Webm VP9 360p", "vp9", None, 640, 360, "30", 600, 128),
)
_HLS: Final = (
    # suffix, that of the twin without sound, rate in the name, width, height, profile, reference frames, kbit/s
    ("200010", "200015", "2M", 1024, 768, "main", 3, 1872),
    ("200020", "200025", "1.5M", 960, 640, "main", 3, 1372),
    ("200030", "200035", "1M", 640, 432, "main", 3, 872),
    ("200040", "200045", "600k", 480, 320, "baseline", 3, 472),
    ("200050", "200055", "400k", 400, 288, "baseline", 1, 272),
)
_HLS_LEVELS: Final = {
    "200010": "3.1", "200015": "3.1", "200020": "3.1", "200025": "3.1", "200030": "3.1", "200035": "3",
    "200040": "3", "200045": "3", "200050": "3", "200055": "3",
}  # fmt: skip
_MP3: Final = (("300010", 320), ("300020", 192), ("300030", 160), ("300040", 128))
_SMOOTH: Final = (
    # suffix, rate in the name, width, height, level, kbit/s of picture and sound
    ("400010", "3M", 1280, 720, "3.1", 2962, 160),
    ("400020", "2M", 992, 560, "3.1", 2056, 160),
    ("400030", "1.5M", 768, 432, "3", 1427, 128),
    ("400040", "1M", 592, 332, "2.1", 991, 128),
    ("400050", "800k", 448, 252, "2.1", 688, 128),
    ("400060", "600k", 368, 208, "1.3", 477, 64),
    ("400070", "500k", 284, 160, "1.3", 331, 64),
    ("400080", "400k", 224, 128, "1.3", 230, 64),
)
_DASH: Final = (
    # suffix, rate in the name, width, height, level, reference frames, kbit/s
    ("500020", "4.8M", 1280, 720, "3.1", 3, 4800),
    ("500030", "2.4M", 854, 480, "3.1", 3, 2400),
    ("500040", "1.2M", 640, 360, "3", 3, 1200),
    ("500050", "600k", 426, 240, "3", 1, 600),
)

_HLS_AUDIO: Final = (
    ("200060", 160, "AAC-LC", "System Preset: HLS Audio 160 kilobits/second"),
    ("200071", 64, "auto", "System preset: HLS Audio 64 kilobits/second"),
)
_LITTLE_ENDIAN: Final[Fields] = {"codec": "pcm", "bit_order": "LittleEndian"}
_LOSSLESS: Final[tuple[tuple[str, str, str, Fields], ...]] = (
    ("300110", "Audio FLAC - CD", "flac", {"codec": "flac", "bit_depth": 16}),
    ("300200", "Audio WAV 44100 Hz, 8 bit", "wav", _LITTLE_ENDIAN | {"bit_depth": 8, "signed": False}),
    ("300300", "Audio WAV 44100 Hz, 16 bit - CD Quality", "wav", _LITTLE_ENDIAN | {"bit_depth": 16}),
)
_BROADCAST_CODECS: Final[dict[str, tuple[Fields, Fields]]] = {
    "mpg": (
        {"codec": "mpeg2", "chroma_subsampling": "yuv420p"},
        {"codec": "mp2", "bit_rate": 192_000, "sample_rate": 48000, "channels": 2},
    ),
    "mp4": (
        {"codec": "h264", "profile": "main", "level": "4.1", "max_reference_frames": 3},
        {"codec": "aac", "bit_rate": 160_000, "sample_rate": 48000, "channels": 2, "profile": "AAC-LC"},
    ),
    "mxf": (
        {"codec": "mpeg2", "chroma_subsampling": "yuv422p"},
        _LITTLE_ENDIAN | {"bit_depth": 24, "sample_rate": 48000, "channels": 2, "packing_mode": "OneChannelPerTrack"},
    ),
}
_VERTICAL: Final[tuple[Literal["Top", "Bottom"], ...]] = ("Top", "Bottom")
_HORIZONTAL: Final[tuple[Literal["Left", "Right"], ...]] = ("Left", "Right")
_EVERY_CORNER: Final = tuple(
    WatermarkSlot(
        id=vertical + horizontal,
        max_width="10%",
        max_height="10%",
        sizing_policy="ShrinkToFit",
        horizontal_align=horizontal,
        horizontal_offset="10%",
        vertical_align=vertical,
        vertical_offset="10%",
        opacity=100,
        target="Content",
    )
    for vertical in _VERTICAL
    for horizontal in _HORIZONTAL
)


def _generic() -> Iterator[SystemPreset]:
    for suffix, name, width, height, rate, level, picture, sound in _GENERIC:
        yield _preset(
            suffix,
            f"System preset: Generic {name}",
            f"System preset generic {name}",
            container="mp4",
            video=_h264("baseline", level, width, height, picture, frame_rate=rate),
            audio=_aac(sound, profile="auto" if sound == 64 else "AAC-LC"),
            thumbnails=_thumbnails(every=60, max_height=144 if height == 1080 else 108),
        )


def _devices() -> Iterator[SystemPreset]:
    for suffix, name, devices, width, height, profile, level, picture, sample_rate in _DEVICES:
        yield _preset(
            suffix,
            f"System preset: {name}",
            f"System preset: {devices}",
            container="mp4",
            video=_h264(profile, level, width, height, picture, frame_rate="30"),
            audio=_aac(160, sample_rate=sample_rate),
            thumbnails=_thumbnails(every=60),
        )


def _broadcast() -> Iterator[SystemPreset]:
    """Interlaced, in frames of exactly the nominal size."""
    for suffix, name, container, width, height, rate, gop, rate_kbps in _BROADCAST:
        frame = {
            "bit_rate": rate_kbps * 1000,
            "max_bit_rate": rate_kbps * 1000,
            "buffer_size": 100_000_000 if container == "mxf" else rate_kbps * 10_000,
            "interlaced_mode": "TopFirst",
            "color_space_conversion": "Auto",
            "keyframes_max_distance": gop,
            "fixed_gop": True,
            "frame_rate": rate,
            "max_width": width,
            "max_height": height,
            "display_aspect_ratio": "16:9",
            "sizing_policy": "ShrinkToFill",
            "padding_policy": "Pad",
        }
        codec, audio = _BROADCAST_CODECS[container]
        yield _preset(
            suffix,
            f"System preset: {name}",
            container=container,
            video=frame | codec,
            audio=audio,
            thumbnails=_thumbnails(every=60),
        )


def _web() -> Iterator[SystemPreset]:
    gif = {"codec": "gif", "loop_count": "infinite", "frame_rate": "15"}
    yield _preset("100200", "System preset: Gif (Animated)", container="gif", video=gif)
    flash = _h264("main", "3.1", 1280, 720, 2200, frame_rate="30", max_bit_rate=2200, buffer_size=22_000)
    yield _preset(
        "100210",
        "System preset: Web: Flash Video",
        container="flv",
        video=flash | {"interlaced_mode": "TopFirst", "color_space_conversion": "Auto"},
        audio=_aac(128),
        thumbnails=_thumbnails(every=60),
    )
    for suffix, name, codec, profile, width, height, rate, picture, sound in _WEBM:
        yield _preset(
            suffix,
            f"System preset: {name}",
            container="webm",
            video={
                "codec": codec,
                "profile": profile,
                "bit_rate": picture * 1000,
                "frame_rate": rate,
                "max_width": width,
                "max_height": height,
            },
            audio={"codec": "vorbis", "bit_rate": sound * 1000, "sample_rate": 44100, "channels": 2},
            thumbnails=_thumbnails(every=60),
        )


def _hls() -> Iterator[SystemPreset]:
    for muxed, silent, name, width, height, profile, references, picture in _HLS:
        video = _h264(profile, _HLS_LEVELS[muxed], width, height, picture, references=references, fixed_gop=True)
        capped = {
            "level": _HLS_LEVELS[silent],
            "max_bit_rate": picture * 1000,
            "buffer_size": picture * 9000,
            "max_frame_rate": "60",
        }
        thumbnails = _thumbnails(every=300)
        yield _preset(
            muxed, f"System preset: HLS {name}", container="ts", video=video, audio=_aac(128), thumbnails=thumbnails
        )
        yield _preset(
            silent, f"System preset: HLS Video - {name}", container="ts", video=video | capped, thumbnails=thumbnails
        )


def _smooth() -> Iterator[SystemPreset]:
    for suffix, name, width, height, level, picture, sound in _SMOOTH:
        yield _preset(
            suffix,
            f"System preset: Smooth {name}",
            container="fmp4",
            video=_fragmented("high", level, width, height, picture, buffer_size=picture * 6),
            audio=_aac(sound),
            thumbnails=_thumbnails(every=300),
        )


def _dash() -> Iterator[SystemPreset]:
    for suffix, name, width, height, level, references, picture in _DASH:
        yield _preset(
            suffix,
            f"System preset: MPEG-Dash Video - {name}",
            container="fmp4",
            video=_fragmented("main", level, width, height, picture, buffer_size=picture * 2, references=references),
            thumbnails=_thumbnails(every=300),
        )
    yield _preset(
        "500060", "System preset: MPEG-Dash Audio - 128k", container="fmp4", audio=_aac(128, sample_rate=48000)
    )


def _sound() -> Iterator[SystemPreset]:
    for suffix, kbps, channels, profile in _AAC:
        audio = _aac(kbps, channels=channels, profile=profile)
        yield _audio_preset(suffix, f"Audio AAC - {kbps}", "mp4", audio)
    for suffix, kbps in _MP3:
        audio = {"codec": "mp3", "bit_rate": kbps * 1000, "sample_rate": 44100, "channels": 2}
        yield _audio_preset(suffix, f"Audio MP3 - {kbps}", "mp3", audio)
    for suffix, kbps, profile, description in _HLS_AUDIO:
        yield _preset(
            suffix,
            f"System preset: HLS Audio - {kbps}k",
            description,
            container="ts",
            audio=_aac(kbps, profile=profile),
        )
    for suffix, name, container, codec in _LOSSLESS:
        yield _preset(
            suffix, f"System preset: {name}", container=container, audio=codec | {"sample_rate": 44100, "channels": 2}
        )


def _audio_preset(suffix: str, name: str, container: str, audio: Fields) -> SystemPreset:
    return _preset(
        suffix, f"System preset: {name}k", f"System preset: {name} kilobits/second", container=container, audio=audio
    )


def _preset(suffix: str, name: str, description: str | None = None, **settings: Any) -> SystemPreset:
    """`settings` in the form of the job document, so that the catalogue passes the same rules as a tenant's preset."""
    if settings.get("thumbnails"):  # the animated GIF has neither these nor places for pictures
        settings["video"] = settings["video"] | {"watermarks": _EVERY_CORNER}
    return SystemPreset(
        id=PresetId(f"1351620000001-{suffix}"),
        name=name,
        description=description or name,
        settings=Settings.model_validate(settings, strict=False),
    )


def _h264(
    profile: str,
    level: str,
    width: int,
    height: int,
    kbps: int,
    *,
    frame_rate: str = "auto",
    references: int = 3,
    fixed_gop: bool = False,
    max_bit_rate: int | None = None,
    buffer_size: int | None = None,
) -> Fields:
    """Rates and buffer in kbit."""
    return {
        "codec": "h264",
        "profile": profile,
        "level": level,
        "max_reference_frames": references,
        "bit_rate": kbps * 1000,
        "max_bit_rate": max_bit_rate and max_bit_rate * 1000,
        "buffer_size": buffer_size and buffer_size * 1000,
        "keyframes_max_distance": 90,
        "fixed_gop": fixed_gop,
        "frame_rate": frame_rate,
        "max_width": width,
        "max_height": height,
    }


def _fragmented(
    profile: str, level: str, width: int, height: int, kbps: int, *, buffer_size: int, references: int = 3
) -> Fields:
    """H.264 in fragments of two seconds."""
    video = _h264(
        profile,
        level,
        width,
        height,
        kbps,
        frame_rate="30",
        references=references,
        fixed_gop=True,
        max_bit_rate=kbps,
        buffer_size=buffer_size,
    )
    return video | {"keyframes_max_distance": 60}


def _aac(kbps: int, *, sample_rate: int = 44100, channels: int = 2, profile: str = "AAC-LC") -> Fields:
    return {
        "codec": "aac",
        "bit_rate": kbps * 1000,
        "sample_rate": sample_rate,
        "channels": channels,
        "profile": profile,
    }


def _thumbnails(*, every: int, max_height: int = 108) -> Fields:
    return {"format": "png", "interval": every, "max_width": 192, "max_height": max_height}


_FAMILIES: Final = (_generic, _devices, _broadcast, _web, _hls, _smooth, _dash, _sound)

SYSTEM_PRESETS: Final[Mapping[PresetId, SystemPreset]] = MappingProxyType(
    {preset.id: preset for preset in sorted((p for family in _FAMILIES for p in family()), key=lambda p: p.id)}
)
"""In the order of their ids."""
