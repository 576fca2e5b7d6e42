"""HLS and MPEG-DASH of the same files (ISO/IEC 23000-19): segments are ranges of them."""

from __future__ import annotations

from collections.abc import Sequence

from agent.media import hls
from agent.media.packaging import dash, outputs
from agent.media.packaging.hls import beside
from agent.media.packaging.members import Member
from shared.protocol import PlaylistSpec


def both(spec: PlaylistSpec, members: Sequence[Member]) -> tuple[bytes, bytes]:
    """The master playlist and the manifest."""
    variants, renditions = beside(spec, members, outputs.segments_playlist, outputs.fragment_entries)
    master = hls.master_playlist(variants, version=hls.FRAGMENTS, renditions=renditions)
    return master, *dash.manifests(spec, members)
