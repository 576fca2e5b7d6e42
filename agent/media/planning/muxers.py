"""How each container is written. A new container is a new row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from agent.media.planning.planned import OUT, PlannedOutput
from shared.jobspec import Container

MUXERS: Final[Mapping[Container, dict[str, Any]]] = {
    Container.FLAC: {"f": "flac"},
    Container.FLV: {"f": "flv"},
    Container.FMP4: {"f": "mp4", "movflags": "+frag_keyframe+delay_moov+default_base_moof+global_sidx"},
    Container.GIF: {"f": "gif"},
    Container.MP2: {"f": "mp2"},
    Container.MP3: {"f": "mp3"},
    Container.MP4: {"f": "mp4", "movflags": "+faststart"},
    Container.MPG: {"f": "vob"},
    Container.MXF: {"f": "mxf"},
    Container.OGA: {"f": "oga"},
    Container.OGG: {"f": "ogg"},
    Container.TS: {"f": "mpegts"},
    Container.WAV: {"f": "wav"},
    Container.WEBM: {"f": "webm"},
}
MICROSECONDS: Final = 1_000_000
TICKS: Final = 90_000
"""Per second, in transport streams."""
FRAGMENT_SECONDS: Final = 2.0
"""Of fragmented files without a picture, whose fragments no key frame begins."""


def muxer_options(output: PlannedOutput) -> dict[str, Any]:
    if output.is_segmented and output.every is not None:
        return {
            "f": "hls",
            "hls_time": _hls_time(output.every),
            "hls_playlist_type": "vod",
            "hls_list_size": 0,
            "start_number": 0,
            "hls_segment_filename": f"{OUT}/{output.segment_pattern}",
            # Shifted by its own reordering delay, each rendition would be a little off the others.
            "avoid_negative_ts": "disabled",
            "hls_segment_options": "avoid_negative_ts=disabled",
        }
    options = dict(MUXERS[output.spec.settings.container])
    if output.spec.settings.container is Container.FMP4:
        options |= _fragments(output)
    return options


def _hls_time(every: Fraction) -> str:
    """Never later than the key frame itself, whose time is told in whole ticks; even after thousands of segments."""
    early = 0 if (every * TICKS).denominator == 1 else 6
    return f"{(math.floor(every * MICROSECONDS) - early) / MICROSECONDS:.6f}".rstrip("0").rstrip(".")


def _fragments(output: PlannedOutput) -> dict[str, Any]:
    """One for every segment: where pictures start again, but at no key frame between; a forced one may come a frame early."""
    every = output.every
    if output.picture is None:
        return {"frag_duration": round((every or FRAGMENT_SECONDS) * MICROSECONDS)}
    if every is None:
        return {}
    return {"min_frag_duration": round((every - 1.5 / output.picture.rate) * MICROSECONDS)}
