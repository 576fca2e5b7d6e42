"""Pieces of the filter graph: pictures and sound on their way from the decoder to one encoder."""

from agent.media.filters.colour import (
    MATRIX_TAGS,
    Colours,
    Conversion,
    Matrix,
    colours,
    high_dynamic_range,
    matrix_of,
    recoding,
    recoding_of_stills,
)
from agent.media.filters.forks import split
from agent.media.filters.joining import ended, filled, held
from agent.media.filters.picture import Picture, Stills, deinterlaced, drawn, drawn_on_gpu, palette, scan, thumbnails
from agent.media.filters.sound import SHORTEST_MEASURED, heard, single_channels
from agent.media.filters.watermarks import Mark

__all__ = [
    "MATRIX_TAGS", "SHORTEST_MEASURED", "Colours", "Conversion", "Mark", "Matrix", "Picture", "Stills", "colours", "deinterlaced",
    "drawn", "drawn_on_gpu", "ended", "filled", "heard", "held", "high_dynamic_range", "matrix_of", "palette", "recoding",
    "recoding_of_stills", "scan", "single_channels", "split", "thumbnails",
]  # fmt: skip
