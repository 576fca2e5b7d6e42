"""What becomes of the picture."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from shared.jobspec import sizing
from shared.jobspec.codecs import VideoCodec
from shared.jobspec.mismatch import mismatch
from shared.jobspec.sizing import AspectRatio, PaddingPolicy, Pixels, Resolution, SizingPolicy
from shared.jobspec.watermarks import WatermarkSlot
from shared.models import Sent


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


FrameRate = Literal["10", "15", "23.97", "24", "25", "29.97", "30", "50", "60"]
"""Nominal rates; "23.97" and "29.97" are 24000/1001 and 30000/1001."""
LEAST_BIT_RATE: Final = 10_000
MOST_BIT_RATE: Final = 100_000_000
KEYFRAMES_MAX_DISTANCE: Final = 90
H264Level = Literal["1", "1b", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3", "3.1", "3.2", "4", "4.1"]


class VideoSettings(Sent):
    codec: VideoCodec = Field(description="Of the pictures; which ones a container carries is told above.")
    bit_rate: Annotated[int, Field(ge=LEAST_BIT_RATE, le=MOST_BIT_RATE)] | Literal["auto"] | None = Field(
        None,
        description="Average bits per second; those of the input with auto; null lets the encoder aim at constant quality.",
    )
    max_bit_rate: Annotated[int, Field(ge=LEAST_BIT_RATE, le=MOST_BIT_RATE)] | None = Field(
        None, description="Bits per second that no stretch as long as the buffer exceeds."
    )
    buffer_size: Annotated[int, Field(ge=10_000, le=1_000_000_000)] | None = Field(
        None, description="Bits of the decoder's rate buffer; ten times `max_bit_rate` when null."
    )
    quality: Annotated[int, Field(ge=0, le=51)] | None = Field(
        None, description="Constant rate factor, lower is better; instead of `bit_rate`. From 1 for H.264."
    )
    profile: Literal["baseline", "main", "high", "0", "1", "2", "3"] | None = Field(
        None, description="H.264: baseline, main, high. HEVC: main. VP8: 0 to 3. VP9: 0."
    )
    two_pass: bool = Field(
        False, description="Looks through everything first: `bit_rate` is met better, at up to twice the time."
    )
    level: H264Level | None = Field(None, description="H.264: how much its decoders must bear.")
    max_reference_frames: Annotated[int, Field(ge=0, le=16)] | None = Field(
        None, description="H.264 and HEVC: pictures that another one may refer to; with 0, every one stands by itself."
    )
    chroma_subsampling: Literal["yuv420p", "yuv422p"] = Field(
        "yuv420p", description="How coarse colours are: yuv422p of MPEG-2 only."
    )
    interlaced_mode: InterlacedMode = Field(
        InterlacedMode.PROGRESSIVE,
        description="Whether pictures are woven of two fields, and which of them is first; with Auto, as the input's.",
    )
    color_space_conversion: ColorSpaceConversion = Field(
        ColorSpaceConversion.NONE,
        description="Between the colours of standard and high definition; with Auto, as the size of the output wants.",
    )
    loop_count: Annotated[int, Field(ge=0, le=100)] | Literal["infinite"] = Field(
        "infinite", description="Of an animated GIF."
    )
    keyframes_max_distance: Annotated[int, Field(ge=1, le=100_000)] = Field(
        KEYFRAMES_MAX_DISTANCE, description="Frames."
    )
    fixed_gop: bool = Field(False, description="Key frames at exactly that distance, whatever is shown.")
    frame_rate: FrameRate | Literal["auto"] = Field(
        "auto", description="Frames per second; those of the input with auto."
    )
    max_frame_rate: FrameRate | None = Field(None, description='With `frame_rate` "auto".')
    max_width: Pixels | None = Field(None, description="1920 when null.")
    max_height: Pixels | None = Field(None, description="1080 when null.")
    display_aspect_ratio: AspectRatio = Field("auto", description="The shape in which players show the picture.")
    sizing_policy: SizingPolicy = Field(
        SizingPolicy.SHRINK_TO_FIT,
        description="How the picture meets `max_width` and `max_height`; what shrinks is never enlarged.",
    )
    padding_policy: PaddingPolicy = Field(
        PaddingPolicy.NO_PAD, description="With Pad, black bars fill up to `max_width` and `max_height`."
    )
    resolution: Resolution | None = Field(
        None,
        description='Deprecated: exactly this size, "640x480". As auto, the picture keeps its own, up to 1920x1080.',
        json_schema_extra=sizing.DEPRECATED,
    )
    aspect_ratio: AspectRatio | None = Field(
        None,
        description="Deprecated: the shape in which the frame is shown, with black bars where the picture has another. "
        "As auto, that of the picture, whatever its `resolution`.",
        json_schema_extra=sizing.DEPRECATED,
    )
    watermarks: tuple[WatermarkSlot, ...] = Field(
        (),
        fail_fast=True,
        max_length=4,
        description="Places for pictures; empty unless an output's `watermarks` name them.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.quality is not None and self.bit_rate is not None:
            raise mismatch("quality", "Give `bit_rate` or `quality`, not both.")
        if self.two_pass and self.codec not in TWO_PASS:
            raise mismatch("two_pass", f"{self.codec} is made in one pass.")
        if self.two_pass and self.bit_rate is None:
            raise mismatch("two_pass", "Two passes aim at a `bit_rate`; without one there is nothing to plan.")
        if self.max_frame_rate is not None and self.frame_rate != "auto":
            raise mismatch("max_frame_rate", '`max_frame_rate` goes with `frame_rate` "auto" only.')
        if self.profile is not None and self.profile not in _PROFILES[self.codec]:
            raise mismatch("profile", f"{self.codec} has no profile {self.profile!r}.")
        if self.level is not None and self.codec is not VideoCodec.H264:
            raise mismatch("level", "Only h264 has levels here.")
        if self.max_bit_rate is not None and isinstance(self.bit_rate, int) and self.max_bit_rate < self.bit_rate:
            raise mismatch("max_bit_rate", "`max_bit_rate` is at least `bit_rate`.")
        if self.max_reference_frames is not None and self.codec not in _REFERRING:
            raise mismatch("max_reference_frames", f"{self.codec} has no such bound.")
        if self.max_reference_frames == 0 and self.fixed_gop and self.keyframes_max_distance > 1:
            raise mismatch("max_reference_frames", "Where no picture refers to another, every one is a key frame.")
        if self.chroma_subsampling == "yuv422p" and self.codec is not VideoCodec.MPEG2:
            raise mismatch("chroma_subsampling", "Only mpeg2 is made in yuv422p.")
        for shape in ("display_aspect_ratio", "aspect_ratio"):
            if self.codec is VideoCodec.MPEG2 and getattr(self, shape) in ("1:1", "3:2"):
                raise mismatch(shape, "mpeg2 tells no shape but 4:3 and 16:9.")
        if self.codec is VideoCodec.MPEG2 and self.frame_rate in ("10", "15"):
            raise mismatch("frame_rate", "mpeg2 has no frame rate below 23.97.")
        if self.interlaced_mode is not InterlacedMode.PROGRESSIVE and self.codec not in (
            VideoCodec.H264,
            VideoCodec.MPEG2,
        ):
            raise mismatch("interlaced_mode", f"{self.codec} is always progressive.")
        if self.interlaced_mode is not InterlacedMode.PROGRESSIVE and self.profile == "baseline":
            raise mismatch("interlaced_mode", "Profile baseline is always progressive.")
        if self.codec is VideoCodec.GIF and self.frame_rate == "60":
            raise mismatch("frame_rate", "A gif has at most 50 pictures a second: its time goes in hundredths.")
        if self.codec is VideoCodec.H264 and self.quality == 0:
            raise mismatch("quality", "h264 without any loss is of a profile that few players open; 1 is the best.")
        if self.quality is not None and self.codec is VideoCodec.GIF:
            raise mismatch("quality", "A gif has no quality to choose.")
        if len({slot.id for slot in self.watermarks}) < len(self.watermarks):
            raise mismatch("watermarks", "Two slots have the same id.")
        sizing.check_one_way(self, self.resolution, self.aspect_ratio, even=True)
        self._can_be_so_large()
        return self

    def _can_be_so_large(self) -> None:
        for field, length in zip(("max_width", "max_height"), self.bounds, strict=True):
            name = "resolution" if sizing.exact(self.resolution) else field
            if length < LEAST_PIXELS.get(self.codec, sizing.SMALLEST):
                raise mismatch(name, f"{self.codec} has at least {LEAST_PIXELS[self.codec]} pixels either way.")
            if length > MOST_PIXELS.get(self.codec, sizing.LARGEST):
                raise mismatch(name, f"{self.codec} has at most {MOST_PIXELS[self.codec]} pixels either way.")

    @model_validator(mode="after")
    def _is_heeded(self) -> Self:
        """Of what its encoder would pass over, nothing is taken."""
        if self.loop_count != "infinite" and self.codec is not VideoCodec.GIF:
            raise mismatch("loop_count", "Only a gif is shown again and again.")
        if self.codec is VideoCodec.GIF and (self.fixed_gop or self.keyframes_max_distance != KEYFRAMES_MAX_DISTANCE):
            field = "fixed_gop" if self.fixed_gop else "keyframes_max_distance"
            raise mismatch(field, "A gif has no key frames.")
        if self.codec is VideoCodec.GIF and self.bit_rate is not None:
            raise mismatch("bit_rate", "A gif has no bit rate: its size follows from its pictures.")
        if self.max_bit_rate is not None and not self._is_bounded:
            raise mismatch("max_bit_rate", f"{self.codec} keeps to no highest rate here{self._unless_average}.")
        if self.buffer_size is not None and not self._is_buffered:
            raise mismatch(
                "buffer_size", f"There is no rate that {self.codec} keeps to over a buffer here{self._unless_average}."
            )
        return self

    @property
    def _is_bounded(self) -> bool:
        return self.codec in _ALWAYS_BOUNDED or (self.codec in _AVERAGED and self.bit_rate is not None)

    @property
    def _is_buffered(self) -> bool:
        with_rate = self.bit_rate is not None and self.codec in _AVERAGED
        return with_rate or (self.max_bit_rate is not None and self.codec in _REFERRING)

    @property
    def _unless_average(self) -> str:
        return " without `bit_rate`" if self.codec in _AVERAGED else ""

    @property
    def bounds(self) -> tuple[int, int]:
        """Width and height that it has at most."""
        size = self.max_width or sizing.DEFAULT_WIDTH, self.max_height or sizing.DEFAULT_HEIGHT
        return sizing.exact(self.resolution) or size


LEAST_PIXELS: Final = {VideoCodec.AV1: 64}
MOST_PIXELS: Final = {VideoCodec.MPEG2: 4094}
"""Across and down, where a codec has narrower bounds than all of them."""
_REFERRING: Final = frozenset({VideoCodec.H264, VideoCodec.HEVC})
_AVERAGED: Final = frozenset(VideoCodec) - {VideoCodec.AV1, VideoCodec.GIF}
"""Those whose `bit_rate` is met over a buffer."""
_ALWAYS_BOUNDED: Final = _AVERAGED - {VideoCodec.MPEG2}
"""With constant quality too."""
TWO_PASS: Final = frozenset({VideoCodec.H264, VideoCodec.MPEG2, VideoCodec.VP8, VideoCodec.VP9})
_PROFILES: Final[dict[VideoCodec, frozenset[str]]] = {
    VideoCodec.H264: frozenset({"baseline", "main", "high"}),
    VideoCodec.VP8: frozenset({"0", "1", "2", "3"}),
    VideoCodec.VP9: frozenset({"0"}),  # the others are of more bits or finer colours
    VideoCodec.AV1: frozenset(),
    VideoCodec.HEVC: frozenset({"main"}),
    VideoCodec.MPEG2: frozenset(),
    VideoCodec.GIF: frozenset(),
}
