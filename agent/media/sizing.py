"""How large a picture becomes: every sizing policy with every padding policy, as arithmetic.

The source is cropped around its middle, then scaled, then padded around its middle. Cropping comes first, so that no source,
however long and thin, is ever scaled to more than the frame holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from shared.jobspec import PaddingPolicy, SizingPolicy, ThumbnailSettings, VideoCodec, VideoSettings
from shared.jobspec.sizing import exact


@dataclass(frozen=True)
class Size:
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def lying(self) -> Size:
        """After a quarter turn."""
        return Size(self.height, self.width)


@dataclass(frozen=True)
class Sizing:
    source: Size
    cropped: Size
    """The part of the source that is shown, in its own pixels."""
    scaled: Size
    frame: Size
    """What the output has: `scaled` and, around it, black."""
    pixel_aspect: Fraction

    @property
    def crops(self) -> bool:
        return self.cropped != self.source

    @property
    def pads(self) -> bool:
        return self.frame != self.scaled

    @property
    def bars(self) -> Size:
        """How wide the left one is, and how high the upper one: even, as chroma needs it."""
        across, down = self.frame.width - self.scaled.width, self.frame.height - self.scaled.height
        return Size(across // 4 * 2, down // 4 * 2)


def of_video(video: VideoSettings, source: Size, pixel_aspect: Fraction, *, woven: bool = False) -> Sizing:
    """Even dimensions, as chroma needs them; square pixels unless a display aspect ratio is asked for.

    `woven` of two fields, each of which needs an even height.
    """
    grid = Size(1, 1) if video.codec is VideoCodec.GIF else Size(2, 4 if woven else 2)
    width, height = video.bounds
    box = Size(width, height // grid.height * grid.height)
    if exact(video.resolution):
        return _exactly(box, _shape(video.aspect_ratio), source, pixel_aspect, grid)
    shown = _shape(video.aspect_ratio)
    if shown:
        return _within(shown, box, source, pixel_aspect, grid)
    shape = _shape(video.display_aspect_ratio)
    if shape is None:
        return _sized(video.sizing_policy, video.padding_policy, source, pixel_aspect, box, Fraction(1), grid)
    sizing = _sized(
        video.sizing_policy, video.padding_policy, source, pixel_aspect, box, shape * box.height / box.width, grid
    )
    return replace(sizing, pixel_aspect=shape * sizing.frame.height / sizing.frame.width)


def _shape(name: str | None) -> Fraction | None:
    """4/3 of "4:3"."""
    if name in (None, "auto"):
        return None
    across, _, down = str(name).partition(":")
    return Fraction(int(across), int(down))


def _exactly(frame: Size, shape: Fraction | None, source: Size, pixel_aspect: Fraction, grid: Size) -> Sizing:
    """All of the frame, in the shape of the source; or with bars, in a shape of its own."""
    if shape is None:
        pixel = pixel_aspect * source.width * frame.height / (source.height * frame.width)
        return _sized(SizingPolicy.STRETCH, PaddingPolicy.NO_PAD, source, pixel_aspect, frame, pixel, grid)
    pixel = shape * frame.height / frame.width
    return _sized(SizingPolicy.FIT, PaddingPolicy.PAD, source, pixel_aspect, frame, pixel, grid)


def _within(shape: Fraction, box: Size, source: Size, pixel_aspect: Fraction, grid: Size) -> Sizing:
    """As large as it is, with the bars that give the frame its shape, all of it within the box."""
    room = Size(
        min(box.width, _on_grid(box.height * shape, box.width, grid.width)),
        min(box.height, _on_grid(box.width / shape, box.height, grid.height)),
    )
    sizing = _sized(SizingPolicy.SHRINK_TO_FIT, PaddingPolicy.NO_PAD, source, pixel_aspect, room, Fraction(1), grid)
    shown = sizing.scaled
    frame = Size(
        max(shown.width, _on_grid(shown.height * shape, room.width, grid.width)),
        max(shown.height, _on_grid(shown.width / shape, room.height, grid.height)),
    )
    return replace(sizing, frame=frame)


def of_part(canvas: Size, source: Size, pixel_aspect: Fraction) -> Sizing:
    """The whole of a picture on a canvas of square pixels that others share, as large as it can be."""
    return _sized(SizingPolicy.FIT, PaddingPolicy.PAD, source, pixel_aspect, canvas, Fraction(1), Size(2, 2))


def of_thumbnails(thumbnails: ThumbnailSettings, source: Size, pixel_aspect: Fraction) -> Sizing:
    box = Size(*thumbnails.bounds)
    if exact(thumbnails.resolution):
        return _exactly(
            box, _shape(thumbnails.aspect_ratio) or Fraction(box.width, box.height), source, pixel_aspect, Size(1, 1)
        )
    return _sized(
        thumbnails.sizing_policy, thumbnails.padding_policy, source, pixel_aspect, box, Fraction(1), Size(1, 1)
    )


def _sized(
    policy: SizingPolicy,
    padding: PaddingPolicy,
    source: Size,
    pixel_aspect: Fraction,
    box: Size,
    box_pixel: Fraction,
    grid: Size,
) -> Sizing:
    natural_width, natural_height = natural(source, pixel_aspect / box_pixel)
    across, down = _factors(policy, box.width / natural_width, box.height / natural_height)
    width, height = natural_width * across, natural_height * down
    scaled = Size(_on_grid(width, box.width, grid.width), _on_grid(height, box.height, grid.height))
    cropped = Size(_kept(source.width, width, box.width), _kept(source.height, height, box.height))
    return Sizing(source, cropped, scaled, box if padding is PaddingPolicy.PAD else scaled, box_pixel)


def natural(source: Size, stretch: Fraction) -> tuple[Fraction, Fraction]:
    """The source in pixels of the output's shape: one dimension may grow, none shrinks."""
    if stretch >= 1:
        return source.width * stretch, Fraction(source.height)
    return Fraction(source.width), source.height / stretch


def _factors(policy: SizingPolicy, across: Fraction, down: Fraction) -> tuple[Fraction, Fraction]:
    """What each dimension is multiplied by, where `across` and `down` would make it that of the box."""
    match policy:
        case SizingPolicy.STRETCH:
            return across, down
        case SizingPolicy.FIT:
            both = min(across, down)
        case SizingPolicy.FILL:
            both = max(across, down)
        case SizingPolicy.KEEP:
            both = Fraction(1)
        case SizingPolicy.SHRINK_TO_FIT:
            both = min(across, down, Fraction(1))
        case SizingPolicy.SHRINK_TO_FILL:
            both = min(max(across, down), Fraction(1))
    return both, both


def _on_grid(length: Fraction, limit: int, grid: int) -> int:
    return min(limit, max(grid, round(length / grid) * grid))


def _kept(source: int, length: Fraction, limit: int) -> int:
    """How much of a source dimension is shown when it would become `length`; even, where anything is cut off."""
    if length <= limit:
        return source
    return min(source, max(2, round(source * limit / length / 2) * 2))
