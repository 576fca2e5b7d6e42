"""Pieces of the filter graph: pictures and sound on their way from the decoder to one encoder."""

from agent.media.filters.colour import Conversion, Matrix, conversion, tags
from agent.media.filters.forks import split
from agent.media.filters.picture import Picture, deinterlaced, drawn, drawn_on_gpu, palette, scan, thumbnails
from agent.media.filters.sound import heard, single_channels

__all__ = [
    "Conversion", "Matrix", "Picture", "conversion", "deinterlaced", "drawn", "drawn_on_gpu", "heard", "palette", "scan",
    "single_channels", "split", "tags", "thumbnails",
]  # fmt: skip
