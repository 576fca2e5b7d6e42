"""What a file is, as far as planning and judging need to know."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from shared.failures import Failure

RGB_FORMATS: Final = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")
"""How the names of pixel formats begin that hold colours themselves, in full range, instead of a brightness and two differences."""


@dataclass(frozen=True)
class VideoFacts:
    index: int
    """Which stream of the file."""
    codec: str
    width: int
    height: int
    """Coded pixels, before rotation."""
    pixel_aspect: Fraction
    rotation: int
    """Clockwise quarter turns that players make: 0, 90, 180 or 270."""
    frame_rate: Fraction
    """Frames per second that a constant-rate copy would have."""
    pix_fmt: str
    interlaced: bool
    """Whether every picture is woven of two fields."""
    full_range: bool
    """Whether codes go from 0 to 255, which few players of ours expect."""
    color_space: str | None
    duration: float | None
    frames: int | None
    start: float
    """Seconds after the start of the file."""
    primaries: str | None = None
    transfer: str | None = None
    chroma_location: str | None = None
    """Where among the others the samples of colour lie."""
    parity: Literal["auto", "tff", "bff"] = "auto"
    """Which field is the first, where each picture does not say so itself."""
    bit_rate: int | None = None
    """Bits per second on average, where the file tells, or its size and what else is in it."""

    @property
    def is_rgb(self) -> bool:
        return self.pix_fmt.startswith(RGB_FORMATS)

    @property
    def shown_width(self) -> int:
        return self.height if self.rotation in (90, 270) else self.width

    @property
    def shown_height(self) -> int:
        return self.width if self.rotation in (90, 270) else self.height

    @property
    def shown_pixel_aspect(self) -> Fraction:
        return 1 / self.pixel_aspect if self.rotation in (90, 270) else self.pixel_aspect


@dataclass(frozen=True)
class AudioFacts:
    index: int
    codec: str
    channels: int
    sample_rate: int
    duration: float | None
    start: float


@dataclass(frozen=True)
class CaptionFacts:
    """A track of text that can be read."""

    index: int
    codec: str
    language: str
    label: str | None


@dataclass(frozen=True)
class Cover:
    """A picture that goes with the sound, as a stream of the file."""

    index: int
    codec: str
    width: int
    height: int


@dataclass(frozen=True)
class MediaFacts:
    format: str
    size: int
    duration: float | None
    duration_is_exact: bool
    """Whether the container counted it, rather than somebody guessed it from the bit rate."""
    video: VideoFacts | None
    audio: AudioFacts | None
    covers: tuple[Cover, ...] = ()
    captions: tuple[CaptionFacts, ...] = ()

    @property
    def is_broadcast(self) -> bool:
        """Transport and program streams. ffmpeg counts their times from the first of what it reads of them, which is another
        time when it reads a picture without its sound.
        """
        return self.format in ("mpeg", "mpegts")


class MediaRefused(Exception):
    """The file cannot be an input; the failure says what its owner can do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
