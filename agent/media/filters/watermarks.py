"""Pictures laid over pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import ffmpeg

from agent.media.argv import Stream
from agent.media.filters.colour import Matrix, swscale_name
from agent.media.watermarking import Place


@dataclass(frozen=True)
class Mark:
    """A still picture in its place."""

    source: int
    """Its place in the row of inputs."""
    demuxer: str
    place: Place
    opacity: Fraction
    """From 0 to 1; what the picture says of its own transparency comes on top."""
    matrix: Matrix
    """Of the pictures that it is laid over."""


def overlaid(stream: Stream, mark: Mark, still: Stream, pix_fmt: str) -> Stream:
    """Blended in the colours of the video: only what lies under the mark is touched."""
    layer = _layer(still, mark)
    blending = "yuv422" if pix_fmt == "yuv422p" else "yuv420"
    return ffmpeg.filter([stream, layer], "overlay", mark.place.x, mark.place.y, format=blending)


def overlaid_on_gpu(stream: Stream, mark: Mark, still: Stream) -> Stream:
    layer = _layer(still, mark).filter("hwupload")
    return ffmpeg.filter([stream, layer], "overlay_cuda", mark.place.x, mark.place.y)


def _layer(still: Stream, mark: Mark) -> Stream:
    """Scaled with colours weighed by their opacity, else those of invisible pixels would make a fringe."""
    size = mark.place.size
    layer = still.filter("format", "gbrap").filter("premultiply", inplace=1)
    layer = layer.filter("scale", size.width, size.height).filter("unpremultiply", inplace=1)
    if mark.opacity != 1:
        layer = layer.filter("colorchannelmixer", aa=float(mark.opacity))
    return layer.filter("scale", out_color_matrix=swscale_name(mark.matrix), out_range="tv").filter(
        "format", "yuva420p"
    )
