"""How each container is written. A new container is a new row."""

from __future__ import annotations

from collections.abc import Mapping
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
FRAGMENT_SECONDS: Final = 2.0
"""Of fragmented files without a picture, whose fragments no key frame begins."""


def muxer_options(output: PlannedOutput) -> dict[str, Any]:
    if output.is_segmented:
        return {
            "f": "hls",
            "hls_time": f"{output.spec.segment_duration:g}",
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


def _fragments(output: PlannedOutput) -> dict[str, Any]:
    """One for every segment: where pictures start again, but at no key frame between; a forced one may come a frame early."""
    every = output.spec.segment_duration
    if output.picture is None:
        return {"frag_duration": round((every or FRAGMENT_SECONDS) * MICROSECONDS)}
    if every is None:
        return {}
    return {"min_frag_duration": round((every - 1.5 / output.picture.rate) * MICROSECONDS)}
