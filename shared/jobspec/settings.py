"""What one output is to be: container, video, audio, thumbnails. The body of a preset, or inline in a job.

Field names and ranges follow Elastic Transcoder's presets; units are the API's (bits per second, seconds, pixels).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.models import Sent


class Container(StrEnum):
    FLAC = "flac"
    FLV = "flv"
    FMP4 = "fmp4"
    GIF = "gif"
    MP2 = "mp2"
    MP3 = "mp3"
    MP4 = "mp4"
    MPG = "mpg"
    MXF = "mxf"
    OGA = "oga"
    OGG = "ogg"
    TS = "ts"
    WAV = "wav"
    WEBM = "webm"


class VideoCodec(StrEnum):
    H264 = "h264"
    MPEG2 = "mpeg2"
    VP8 = "vp8"
    VP9 = "vp9"
    GIF = "gif"


class AudioCodec(StrEnum):
    AAC = "aac"
    FLAC = "flac"
    MP2 = "mp2"
    MP3 = "mp3"
    PCM = "pcm"
    VORBIS = "vorbis"


class SizingPolicy(StrEnum):
    """How the picture meets `max_width` × `max_height`; "Shrink" never enlarges."""

    FIT = "Fit"
    FILL = "Fill"
    STRETCH = "Stretch"
    KEEP = "Keep"
    SHRINK_TO_FIT = "ShrinkToFit"
    SHRINK_TO_FILL = "ShrinkToFill"


class PaddingPolicy(StrEnum):
    PAD = "Pad"
    NO_PAD = "NoPad"


class InterlacedMode(StrEnum):
    PROGRESSIVE = "Progressive"
    TOP_FIRST = "TopFirst"
    BOTTOM_FIRST = "BottomFirst"
    AUTO = "Auto"


class ColorSpaceConversion(StrEnum):
    NONE = "None"
    BT709_TO_BT601 = "Bt709ToBt601"
    BT601_TO_BT709 = "Bt601ToBt709"
    AUTO = "Auto"


class PackingMode(StrEnum):
    SINGLE_TRACK = "SingleTrack"
    ONE_CHANNEL_PER_TRACK = "OneChannelPerTrack"
    ONE_CHANNEL_PER_TRACK_WITH_MOS_TO_8_TRACKS = "OneChannelPerTrackWithMosTo8Tracks"


FrameRate = Literal["10", "15", "23.97", "24", "25", "29.97", "30", "50", "60"]
"""Nominal rates; "23.97" and "29.97" are 24000/1001 and 30000/1001."""
AspectRatio = Literal["auto", "1:1", "4:3", "3:2", "16:9"]
H264Level = Literal["1", "1b", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3", "3.1", "3.2", "4", "4.1"]
Pixels = Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
ThumbnailPixels = Annotated[int, Field(ge=16, le=4096)]
Size = Annotated[str, Field(pattern=r"^(\d{1,3}(\.\d{0,5})?%|\d{1,4}px)$")]

VIDEO_CODECS: Final[dict[Container, frozenset[VideoCodec]]] = {
    Container.FLV: frozenset({VideoCodec.H264}),
    Container.FMP4: frozenset({VideoCodec.H264}),
    Container.GIF: frozenset({VideoCodec.GIF}),
    Container.MP4: frozenset({VideoCodec.H264}),
    Container.MPG: frozenset({VideoCodec.MPEG2}),
    Container.MXF: frozenset({VideoCodec.MPEG2}),
    Container.TS: frozenset({VideoCodec.H264, VideoCodec.MPEG2}),
    Container.WEBM: frozenset({VideoCodec.VP8, VideoCodec.VP9}),
}
AUDIO_CODECS: Final[dict[Container, frozenset[AudioCodec]]] = {
    Container.FLAC: frozenset({AudioCodec.FLAC}),
    Container.FLV: frozenset({AudioCodec.AAC, AudioCodec.MP3}),
    Container.FMP4: frozenset({AudioCodec.AAC}),
    Container.MP2: frozenset({AudioCodec.MP2}),
    Container.MP3: frozenset({AudioCodec.MP3}),
    Container.MP4: frozenset({AudioCodec.AAC, AudioCodec.MP3}),
    Container.MPG: frozenset({AudioCodec.MP2}),
    Container.MXF: frozenset({AudioCodec.PCM}),
    Container.OGA: frozenset({AudioCodec.VORBIS, AudioCodec.FLAC}),
    Container.OGG: frozenset({AudioCodec.VORBIS, AudioCodec.FLAC}),
    Container.TS: frozenset({AudioCodec.AAC, AudioCodec.MP2, AudioCodec.MP3}),
    Container.WAV: frozenset({AudioCodec.PCM}),
    Container.WEBM: frozenset({AudioCodec.VORBIS}),
}
"""Which codecs a container carries; a container missing from a table carries none of that kind."""


class WatermarkSlot(Sent):
    """A place where a job may put a picture, named by its id."""

    id: Annotated[str, Field(min_length=1, max_length=40)]
    max_width: Size
    max_height: Size
    sizing_policy: Literal["Fit", "Stretch", "ShrinkToFit"]
    horizontal_align: Literal["Left", "Right", "Center"]
    horizontal_offset: Size
    vertical_align: Literal["Top", "Bottom", "Center"]
    vertical_offset: Size
    opacity: Annotated[float, Field(ge=0, le=100)]
    target: Literal["Content", "Frame"]


class VideoSettings(Sent):
    codec: VideoCodec
    bit_rate: Annotated[int, Field(ge=10_000, le=100_000_000)] | None = Field(
        None, description="Average bits per second; null lets the encoder aim at constant quality."
    )
    max_bit_rate: Annotated[int, Field(ge=10_000, le=100_000_000)] | None = None
    buffer_size: Annotated[int, Field(ge=10_000, le=1_000_000_000)] | None = Field(
        None, description="Bits of the decoder's rate buffer; ten times `max_bit_rate` when null."
    )
    quality: Annotated[int, Field(ge=0, le=51)] | None = Field(
        None, description="Constant rate factor, lower is better; instead of `bit_rate`."
    )
    profile: Literal["baseline", "main", "high", "0", "1", "2", "3"] | None = Field(
        None, description="H.264: baseline, main, high. VP8 and VP9: 0 to 3."
    )
    level: H264Level | None = None
    max_reference_frames: Annotated[int, Field(ge=1, le=16)] | None = None
    chroma_subsampling: Literal["yuv420p", "yuv422p"] = "yuv420p"
    interlaced_mode: InterlacedMode = InterlacedMode.PROGRESSIVE
    color_space_conversion: ColorSpaceConversion = ColorSpaceConversion.NONE
    loop_count: Annotated[int, Field(ge=0, le=100)] | Literal["infinite"] = Field(
        "infinite", description="Of an animated GIF."
    )
    keyframes_max_distance: Annotated[int, Field(ge=1, le=100_000)] = Field(90, description="Frames.")
    fixed_gop: bool = False
    frame_rate: FrameRate | Literal["auto"] = "auto"
    max_frame_rate: FrameRate | None = Field(None, description='With `frame_rate` "auto".')
    max_width: Pixels | None = Field(None, description="1920 when null.")
    max_height: Pixels | None = Field(None, description="1080 when null.")
    display_aspect_ratio: AspectRatio = "auto"
    sizing_policy: SizingPolicy = SizingPolicy.SHRINK_TO_FIT
    padding_policy: PaddingPolicy = PaddingPolicy.NO_PAD
    watermarks: tuple[WatermarkSlot, ...] = Field((), max_length=4)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.quality is not None and self.bit_rate is not None:
            raise _mismatch("quality", "Give `bit_rate` or `quality`, not both.")
        if self.max_frame_rate is not None and self.frame_rate != "auto":
            raise _mismatch("max_frame_rate", '`max_frame_rate` goes with `frame_rate` "auto" only.')
        if self.profile is not None and self.profile not in _PROFILES[self.codec]:
            raise _mismatch("profile", f"{self.codec} has no profile {self.profile!r}.")
        if self.level is not None and self.codec is not VideoCodec.H264:
            raise _mismatch("level", "Only h264 has levels here.")
        if self.max_bit_rate is not None and self.bit_rate is not None and self.max_bit_rate < self.bit_rate:
            raise _mismatch("max_bit_rate", "`max_bit_rate` is at least `bit_rate`.")
        if self.chroma_subsampling == "yuv422p" and self.codec is not VideoCodec.MPEG2:
            raise _mismatch("chroma_subsampling", "Only mpeg2 is made in yuv422p.")
        if self.codec is VideoCodec.MPEG2 and self.frame_rate in ("10", "15"):
            raise _mismatch("frame_rate", "mpeg2 has no frame rate below 23.97.")
        if self.interlaced_mode is not InterlacedMode.PROGRESSIVE and self.codec not in (
            VideoCodec.H264,
            VideoCodec.MPEG2,
        ):
            raise _mismatch("interlaced_mode", f"{self.codec} is always progressive.")
        if self.quality is not None and self.codec is VideoCodec.GIF:
            raise _mismatch("quality", "A gif has no quality to choose.")
        return self


class AudioSettings(Sent):
    codec: AudioCodec
    bit_rate: Annotated[int, Field(ge=16_000, le=512_000)] | None = None
    sample_rate: Literal["auto", 22050, 32000, 44100, 48000, 96000, 192000] = "auto"
    channels: Literal["auto", 0, 1, 2] = Field("auto", description="0 drops the sound.")
    packing_mode: PackingMode = PackingMode.SINGLE_TRACK
    profile: Literal["auto", "AAC-LC", "HE-AAC", "HE-AACv2"] | None = None
    bit_depth: Literal[8, 16, 24, 32] | None = None
    signed: bool = True

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.profile in ("HE-AAC", "HE-AACv2"):
            raise _mismatch("profile", 'No encoder here makes HE-AAC; use "AAC-LC" or "auto".')
        if self.profile is not None and self.codec is not AudioCodec.AAC:
            raise _mismatch("profile", "Only aac has profiles.")
        if self.bit_rate is not None and self.codec in (AudioCodec.PCM, AudioCodec.FLAC):
            raise _mismatch(
                "bit_rate", f"{self.codec} is lossless: its bit rate follows from rate, depth and channels."
            )
        if self.bit_depth is not None and self.bit_depth not in _BIT_DEPTHS.get(self.codec, ()):
            raise _mismatch("bit_depth", f"{self.codec} has no bit depth of {self.bit_depth} here.")
        if self.packing_mode is not PackingMode.SINGLE_TRACK and self.codec is not AudioCodec.PCM:
            raise _mismatch("packing_mode", "Only pcm is packed into several tracks.")
        if self.codec is AudioCodec.PCM and self.signed == (self.bit_depth == 8):
            raise _mismatch("signed", "pcm is unsigned with 8 bits, and signed with more.")
        if self.sample_rate != "auto" and self.sample_rate > _HIGHEST_SAMPLE_RATES.get(self.codec, 192000):
            raise _mismatch("sample_rate", f"{self.codec} has no sample rate of {self.sample_rate} here.")
        return self


class ThumbnailSettings(Sent):
    format: Literal["jpg", "png"] = "png"
    interval: Annotated[int, Field(ge=1, le=99_999)] = Field(60, description="Seconds from one to the next.")
    max_width: ThumbnailPixels | None = Field(192, description="1920 when null.")
    max_height: ThumbnailPixels | None = Field(108, description="1080 when null.")
    sizing_policy: SizingPolicy = SizingPolicy.SHRINK_TO_FIT
    padding_policy: PaddingPolicy = PaddingPolicy.NO_PAD


class Settings(Sent):
    container: Container
    video: VideoSettings | None = None
    audio: AudioSettings | None = None
    thumbnails: ThumbnailSettings | None = None

    @model_validator(mode="after")
    def _container_carries_its_codecs(self) -> Self:
        if self.video is None and self.audio is None:
            raise _mismatch("video", "Settings have video, audio or both.")
        if self.video is not None and self.video.codec not in VIDEO_CODECS.get(self.container, frozenset()):
            raise _mismatch("video/codec", f"{self.container} does not carry {self.video.codec} video.")
        if self.audio is not None and self.audio.codec not in AUDIO_CODECS.get(self.container, frozenset()):
            raise _mismatch("audio/codec", f"{self.container} does not carry {self.audio.codec} sound.")
        if self.video is None and self.audio is not None and self.audio.channels == 0:
            raise _mismatch("audio/channels", "Without video, sound needs channels.")
        if self.audio is not None:
            self._check_sound_of_container(self.audio)
        if (
            self.audio is not None
            and self.audio.packing_mode is not PackingMode.SINGLE_TRACK
            and self.container is not Container.MXF
        ):
            raise _mismatch("audio/packing_mode", "Only mxf packs channels into tracks of their own.")
        if self.thumbnails is not None and self.video is None:
            raise _mismatch("thumbnails", "Thumbnails need video.")
        if self.container is Container.FMP4 and self.video is not None and not self.video.fixed_gop:
            raise _mismatch("video/fixed_gop", "fmp4 needs a fixed GOP.")
        return self

    def _check_sound_of_container(self, audio: AudioSettings) -> None:
        if self.container is Container.MXF and audio.bit_depth not in (None, 16, 24):
            raise _mismatch("audio/bit_depth", "mxf carries pcm of 16 or 24 bits.")
        if self.container is Container.MXF and audio.sample_rate not in ("auto", 48000):
            raise _mismatch("audio/sample_rate", "mxf carries sound of 48000 Hz.")
        if self.container is Container.FLV and audio.codec is AudioCodec.MP3 and audio.sample_rate == 32000:
            raise _mismatch("audio/sample_rate", "flv carries mp3 of 22050, 44100 or 48000 Hz.")


_PROFILES: Final[dict[VideoCodec, frozenset[str]]] = {
    VideoCodec.H264: frozenset({"baseline", "main", "high"}),
    VideoCodec.VP8: frozenset({"0", "1", "2", "3"}),
    VideoCodec.VP9: frozenset({"0", "1", "2", "3"}),
    VideoCodec.MPEG2: frozenset(),
    VideoCodec.GIF: frozenset(),
}
_HIGHEST_SAMPLE_RATES: Final[dict[AudioCodec, int]] = {
    AudioCodec.AAC: 96000,
    AudioCodec.MP2: 48000,
    AudioCodec.MP3: 48000,
    AudioCodec.VORBIS: 48000,
}
_BIT_DEPTHS: Final[dict[AudioCodec, tuple[int, ...]]] = {AudioCodec.PCM: (8, 16, 24, 32), AudioCodec.FLAC: (16, 24)}


def _mismatch(field: str, sentence: str) -> PydanticCustomError:
    """An error of the whole model that still names one field below it (a path with slashes)."""
    return PydanticCustomError("mismatch", "{sentence}", {"sentence": sentence, "field": field})
