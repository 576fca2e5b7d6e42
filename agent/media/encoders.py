"""Which encoder makes which codec on which device, and how settings become its options. A new encoder is a new row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from shared.jobspec import AudioCodec, AudioSettings, Container, VideoCodec, VideoSettings
from shared.jobspec.video import InterlacedMode


class Device(StrEnum):
    CPU = "cpu"
    NVENC = "nvenc"


Options = dict[str, Any]


@dataclass(frozen=True)
class VideoEncoder:
    name: str
    probed_as: str
    """The name of the codec in ffprobe's answers."""
    options: Callable[[VideoSettings], Options]
    on_gpu: bool = False
    scene_cuts_off: int = 0
    least: int = 0
    """Pixels that a picture has at least, across and down."""
    works_alone: bool = False
    """Beside another one of its kind it would need more threads and memory than a process may have."""
    copies_captions: bool = False
    """Whether those in the input's pictures go into its own, unless it is told that they shall not."""


@dataclass(frozen=True)
class AudioEncoder:
    name: str
    probed_as: str
    sample_format: str | None = None
    packet_samples: int | None = None
    """Samples per packet, where every packet has the same number."""
    layouts: Mapping[int, str] = field(default_factory=lambda: _LAYOUTS, hash=False)
    """By their number, which channels they have to be; where it says nothing, those of the input."""


_LAYOUTS: Final[Mapping[int, str]] = {1: "mono", 2: "stereo"}
_XIPH_LAYOUTS: Final[Mapping[int, str]] = {
    **_LAYOUTS, 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1",
}  # fmt: skip
"""The only ones that Vorbis and Opus have."""

X264_PRESET: Final = "veryfast"
"""Less than half of medium's processor time for 0.002 of SSIM at the same rate: edge nodes have few cores."""

X265_PRESET: Final = "superfast"
SVT_PRESET: Final = 9
"""Both about as quick as x264 is with its own."""
MOST_PIXELS_OF_MANY_THREADS: Final = 2560 * 1440
"""Of AV1: beyond, what all of its threads reserve is more memory than a process may have."""

MOST_REFERENCES: Final = 6
"""Of HEVC: with those that B frames need besides, it allows no more."""

PEAK: Final = 2
"""Peak rate per average where settings bound none: what players of adaptive streams allow."""


def video_encoder(device: Device, video: VideoSettings, *, interlaced: bool) -> VideoEncoder:
    """Codecs that no card makes, and interlaced pictures, which recent cards no longer make, are made in software."""
    row = None if interlaced else VIDEO_ENCODERS.get((device, video.codec))
    return row or VIDEO_ENCODERS[Device.CPU, video.codec]


def audio_encoder(audio: AudioSettings) -> AudioEncoder:
    return _PCM[audio.bit_depth or 16] if audio.codec is AudioCodec.PCM else AUDIO_ENCODERS[audio.codec]


def sample_rate(audio: AudioSettings, container: Container, source: int) -> int:
    """The rate asked for; or the source's where codec and container carry it, else the nearest above or the highest."""
    if audio.sample_rate != "auto":
        return audio.sample_rate
    carried = _NARROWER_RATES.get((container, audio.codec), SAMPLE_RATES[audio.codec])
    return min((rate for rate in carried if rate >= source), default=max(carried))


def channel_count(audio: AudioSettings, source: int) -> int:
    wanted = source if audio.channels == "auto" else audio.channels
    return min(wanted, MAX_CHANNELS[audio.codec])


def audio_options(audio: AudioSettings, *, rate: int, channels: int) -> Options:
    encoder = audio_encoder(audio)
    options: Options = {"c:a": encoder.name}
    if audio.codec is AudioCodec.FLAC and audio.bit_depth == 24:
        options["bits_per_raw_sample"] = 24
    if audio.codec in _DEFAULT_BIT_RATE:
        wanted = audio.bit_rate or _DEFAULT_BIT_RATE[audio.codec] * channels
        options["b:a"] = _carried_bit_rate(audio.codec, wanted, rate=rate, channels=channels)
    return options


def _carried_bit_rate(codec: AudioCodec, wanted: int, *, rate: int, channels: int) -> int:
    if codec in _BIT_RATES:
        steps = _BIT_RATES[codec][rate >= 32000]
        return min((step * 1000 for step in steps), key=lambda step: (abs(step - wanted), step))
    if codec is AudioCodec.VORBIS:
        low, high = next(bounds for least, bounds in _VORBIS_PER_CHANNEL if rate >= least)
        return min(max(wanted, low * channels), high * channels)
    return min(wanted, _MOST_OF_OPUS * channels) if codec is AudioCodec.OPUS else wanted


def _x264(video: VideoSettings) -> Options:
    options: Options = {"preset": X264_PRESET, **_profile_and_level(video)}
    if video.bit_rate is not None:
        options |= _average(video)
    else:
        options |= {"crf": video.quality if video.quality is not None else 23} | _ceiling(video)
    if video.max_reference_frames in (0, 1):
        options["bf"] = 0
    return options | _x264_params(video)


def _x264_params(video: VideoSettings) -> Options:
    """The preset itself refers to one frame only; what can exceed the bound are B frames and the pyramid of them.

    Fields are in the order of the frames, but the headers say so only when told.
    """
    parameters = ["b-pyramid=none"] if video.max_reference_frames in (2, 3) else []
    parameters += ["bff=1"] if video.interlaced_mode is InterlacedMode.BOTTOM_FIRST else []
    return {"x264-params": ":".join(parameters)} if parameters else {}


def _h264_nvenc(video: VideoSettings) -> Options:
    options: Options = {
        "preset": "p4",
        "tune": "hq",
        "rc": "vbr",
        "rc-lookahead": 20,
        "spatial-aq": 1,
        "forced-idr": 1,
        **_profile_and_level(video),
    }
    if video.bit_rate is not None:
        options |= _average(video)
    else:
        options |= {"cq": video.quality if video.quality is not None else 23, "b:v": 0} | _ceiling(video)
    if video.max_reference_frames is not None:
        options["refs"] = video.max_reference_frames
    if video.max_reference_frames in (0, 1) or video.profile == "baseline":
        options["bf"] = 0
    return options | ({"no-scenecut": 1, "strict_gop": 1} if video.fixed_gop else {})


def _x265(video: VideoSettings) -> Options:
    options: Options = {"preset": X265_PRESET, "forced-idr": 1, **_profile_and_level(video)}
    if video.bit_rate is not None:
        options |= _average(video)
    else:
        options |= {"crf": video.quality if video.quality is not None else 28} | _ceiling(video)
    references = min(video.max_reference_frames or 0, MOST_REFERENCES) or None
    wanted = {"log-level": "error", "open-gop": 0, "ref": references}
    if video.fixed_gop:
        wanted["scenecut"] = 0
    return options | {"x265-params": ":".join(f"{name}={value}" for name, value in wanted.items() if value is not None)}


def _hevc_nvenc(video: VideoSettings) -> Options:
    options = _h264_nvenc(video)
    if video.bit_rate is None:
        options["cq"] = 28 if video.quality is None else max(1, video.quality)  # 0 would leave it to the card
    return options


def _svt_av1(video: VideoSettings) -> Options:
    """It stands still without a word when it cannot begin all of its two hundred threads."""
    width, height = video.bounds
    options: Options = {"preset": SVT_PRESET}
    if width * height > MOST_PIXELS_OF_MANY_THREADS:
        options |= {"svtav1-params": "lp=1"}
    if video.bit_rate is not None:
        return options | {"b:v": video.bit_rate}
    return options | {"crf": round(video.quality * 63 / 51) if video.quality is not None else 35}


def _mpeg2(video: VideoSettings) -> Options:
    options: Options = {"bf": 2}
    if video.chroma_subsampling == "yuv422p":
        # Profile 4:2:2 at high level, the quantizers and scan of the broadcast formats that use it.
        options |= {"profile:v": 0, "level:v": 2, "dc": 10, "intra_vlc": 1, "non_linear_quant": 1, "qmax": 28}
    if video.bit_rate is not None:
        return options | _average(video) | ({"minrate": video.bit_rate} if video.max_bit_rate == video.bit_rate else {})
    quality = video.quality if video.quality is not None else 8
    return options | {"q:v": max(1, round(quality * 31 / 51))}


def _vp8(video: VideoSettings) -> Options:
    options: Options = {
        "deadline": "good",
        "cpu-used": 5,
        "auto-alt-ref": 1,
        "lag-in-frames": 16,
        **_profile_number(video),
    }
    if video.bit_rate is not None:
        return options | _average(video)
    return options | {"crf": _vpx_quality(video), "b:v": video.max_bit_rate or 20_000_000}


def _vp9(video: VideoSettings) -> Options:
    options: Options = {"deadline": "good", "cpu-used": 5, "row-mt": 1, "tile-columns": 2, **_profile_number(video)}
    if video.bit_rate is not None:
        return options | _average(video)
    return options | {"crf": _vpx_quality(video), "b:v": video.max_bit_rate or 0}


def _gif(video: VideoSettings) -> Options:
    return {"loop": {"infinite": 0, 0: -1}.get(video.loop_count, video.loop_count)}


def _vpx_quality(video: VideoSettings) -> int:
    return round(video.quality * 63 / 51) if video.quality is not None else 32


def _average(video: VideoSettings) -> Options:
    assert isinstance(video.bit_rate, int)
    peak = video.max_bit_rate or PEAK * video.bit_rate
    return {"b:v": video.bit_rate, "maxrate": peak, "bufsize": video.buffer_size or 10 * peak}


def _ceiling(video: VideoSettings) -> Options:
    if video.max_bit_rate is None:
        return {}
    return {"maxrate": video.max_bit_rate, "bufsize": video.buffer_size or 10 * video.max_bit_rate}


def _profile_and_level(video: VideoSettings) -> Options:
    wanted = {"profile:v": video.profile, "level:v": video.level}
    return {name: value for name, value in wanted.items() if value is not None}


def _profile_number(video: VideoSettings) -> Options:
    return {} if video.profile is None else {"profile:v": video.profile}


A_LITTLE: Final = 0.004
"""Seconds, less than any picture lasts: times that are computed in other ways may differ in their last digit."""


def key_frames(video: VideoSettings, encoder: VideoEncoder, *, rate: Fraction, every: Fraction | None) -> Options:
    """Where pictures start that need no other; `every` some seconds wherever a player may have to start."""
    most = video.keyframes_max_distance
    if video.codec is VideoCodec.GIF:
        return {}
    if video.codec is VideoCodec.AV1:  # whose encoder starts anew at this distance and nowhere else
        return {"g": most if every is None else _divisor(int(every * rate), most)}
    group = most if every is None else _even(int(every * rate), most)
    options: Options = {"g": 1 if video.max_reference_frames == 0 else group}
    if video.fixed_gop:
        options["keyint_min"] = group
        options |= {"mpv_flags": "+strict_gop"} if video.codec is VideoCodec.MPEG2 else {}
    if every is not None:
        options["force_key_frames"] = f"expr:gte(t,n_forced*{every}-{A_LITTLE})"
    if (
        (video.fixed_gop or every is not None)
        and video.codec in (VideoCodec.H264, VideoCodec.MPEG2)
        and not encoder.on_gpu
    ):
        options["sc_threshold"] = encoder.scene_cuts_off
    return options


def _even(pictures: int, most: int) -> int:
    """In how long groups so many pictures come, as few of them as there may be: the last is hardly shorter."""
    return math.ceil(pictures / math.ceil(pictures / most))


def _divisor(pictures: int, most: int) -> int:
    """The same, where the last must not be shorter; of pictures that only far more groups would share out, all are one."""
    group = next(group for group in range(min(most, pictures), 0, -1) if pictures % group == 0)
    return group if group * 2 >= _even(pictures, most) else pictures


VIDEO_ENCODERS: Final[Mapping[tuple[Device, VideoCodec], VideoEncoder]] = {
    (Device.CPU, VideoCodec.H264): VideoEncoder("libx264", "h264", _x264, copies_captions=True),
    (Device.NVENC, VideoCodec.H264): VideoEncoder("h264_nvenc", "h264", _h264_nvenc, on_gpu=True, copies_captions=True),
    (Device.CPU, VideoCodec.HEVC): VideoEncoder("libx265", "hevc", _x265, least=16),
    (Device.NVENC, VideoCodec.HEVC): VideoEncoder("hevc_nvenc", "hevc", _hevc_nvenc, on_gpu=True, copies_captions=True),
    (Device.CPU, VideoCodec.AV1): VideoEncoder("libsvtav1", "av1", _svt_av1, least=64, works_alone=True),
    (Device.CPU, VideoCodec.MPEG2): VideoEncoder(
        "mpeg2video", "mpeg2video", _mpeg2, scene_cuts_off=1_000_000_000, copies_captions=True
    ),
    (Device.CPU, VideoCodec.VP8): VideoEncoder("libvpx", "vp8", _vp8),
    (Device.CPU, VideoCodec.VP9): VideoEncoder("libvpx-vp9", "vp9", _vp9),
    (Device.CPU, VideoCodec.GIF): VideoEncoder("gif", "gif", _gif),
}
AUDIO_ENCODERS: Final[Mapping[AudioCodec, AudioEncoder]] = {
    AudioCodec.AAC: AudioEncoder("aac", "aac", packet_samples=1024),
    AudioCodec.FLAC: AudioEncoder("flac", "flac", "s16"),
    AudioCodec.MP2: AudioEncoder("mp2", "mp2", "s16", packet_samples=1152),
    AudioCodec.MP3: AudioEncoder("libmp3lame", "mp3", packet_samples=1152),
    AudioCodec.OPUS: AudioEncoder("libopus", "opus", packet_samples=960, layouts=_XIPH_LAYOUTS),
    AudioCodec.VORBIS: AudioEncoder("libvorbis", "vorbis", layouts=_XIPH_LAYOUTS),
}
_PCM: Final[Mapping[int, AudioEncoder]] = {
    8: AudioEncoder("pcm_u8", "pcm_u8", "u8"),
    16: AudioEncoder("pcm_s16le", "pcm_s16le", "s16"),
    24: AudioEncoder("pcm_s24le", "pcm_s24le", "s32"),
    32: AudioEncoder("pcm_s32le", "pcm_s32le", "s32"),
}
SAMPLE_RATES: Final[Mapping[AudioCodec, tuple[int, ...]]] = {
    AudioCodec.AAC: (22050, 32000, 44100, 48000, 96000),
    AudioCodec.FLAC: (22050, 32000, 44100, 48000, 96000, 192000),
    AudioCodec.MP2: (22050, 32000, 44100, 48000),
    AudioCodec.MP3: (22050, 32000, 44100, 48000),
    AudioCodec.OPUS: (48000,),
    AudioCodec.PCM: (22050, 32000, 44100, 48000, 96000, 192000),
    AudioCodec.VORBIS: (22050, 32000, 44100, 48000),
}
_NARROWER_RATES: Final[Mapping[tuple[Container, AudioCodec], tuple[int, ...]]] = {
    (Container.MXF, AudioCodec.PCM): (48000,),
    (Container.FLV, AudioCodec.MP3): (22050, 44100, 48000),
}
MAX_CHANNELS: Final[Mapping[AudioCodec, int]] = {
    AudioCodec.AAC: 8, AudioCodec.FLAC: 8, AudioCodec.MP2: 2, AudioCodec.MP3: 2, AudioCodec.OPUS: 8,
    AudioCodec.PCM: 8, AudioCodec.VORBIS: 8,
}  # fmt: skip
MPEG2_RATES: Final = tuple(
    Fraction(n, d)
    for n, d in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1))
)
"""The only frame rates that MPEG-2 can say."""

_DEFAULT_BIT_RATE: Final = {
    AudioCodec.AAC: 64_000,
    AudioCodec.MP2: 96_000,
    AudioCodec.MP3: 64_000,
    AudioCodec.OPUS: 48_000,
    AudioCodec.VORBIS: 64_000,
}
"""Per channel."""
_BIT_RATES: Final[Mapping[AudioCodec, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    # kbit/s below 32 kHz, and from there on
    AudioCodec.MP2: (
        (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
        (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    ),
    AudioCodec.MP3: (
        (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
        (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    ),
}
_MOST_OF_OPUS: Final = 256_000
"""Bits per second and channel."""
_VORBIS_PER_CHANNEL: Final = ((44100, (32_000, 240_000)), (32000, (30_000, 180_000)), (0, (16_000, 80_000)))
"""From this sample rate on: the bits per second and channel that libvorbis can be set to."""
