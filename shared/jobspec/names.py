"""What things are called that a job makes: a promise to clients, and what both programs hold each other to.

any output                      its key as it is
ts with segments                key.m3u8, key00000.ts, key00001.ts, …
  in HLSv4 playlists            key_v4.m3u8, key.ts, and key_iframe.m3u8 where it has a picture
fmp4 in CMAF playlists          its key as it is, and key.m3u8
stored content key              key.key
playlist                        its name with the extensions of its format
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from shared.jobspec.codecs import Container
from shared.jobspec.playlists import PlaylistFormat

MASTER_EXTENSIONS: Final[Mapping[PlaylistFormat, tuple[str, ...]]] = {
    PlaylistFormat.HLS_V3: (".m3u8",),
    PlaylistFormat.HLS_V4: (".m3u8",),
    PlaylistFormat.MPEG_DASH: (".mpd",),
    PlaylistFormat.SMOOTH: (".ism", ".ismc"),
    PlaylistFormat.CMAF: (".m3u8", ".mpd"),
}
"""The first one names a playlist between the programs."""

CONTENT_KEY: Final = ".key"
MEDIA_PLAYLIST: Final = ".m3u8"
SEGMENT: Final = re.compile(r"\d{5,}\.ts")


@dataclass(frozen=True)
class Forms:
    """How an output is published: each form is for some formats of playlists."""

    as_file: bool = False
    """One object of the output's own key."""
    as_segments: bool = False
    """HLSv3: an object for every segment."""
    as_ranges: bool = False
    """HLSv4: one object whose ranges are the segments."""
    with_playlist: bool = False
    """CMAF: a media playlist beside the file."""
    with_key: bool = False
    """HLS: the key of its segments."""

    def is_named(self, stem: str, key: str) -> bool:
        """Whether an object of that key belongs to an output of that stem."""
        if not key.startswith(stem):
            return False
        ending = key[len(stem) :]
        return ending in self.endings or (self.as_segments and SEGMENT.fullmatch(ending) is not None)

    @cached_property
    def endings(self) -> tuple[str, ...]:
        """What is added to the key; numbered segments aside."""
        return tuple(self._endings())

    def _endings(self) -> Iterator[str]:
        if self.as_file:
            yield ""
        if self.as_segments or self.with_playlist:
            yield MEDIA_PLAYLIST
        if self.as_ranges:
            yield from (".ts", "_v4.m3u8", "_iframe.m3u8")
        if self.with_key:
            yield CONTENT_KEY


@cache
def forms(
    container: Container, *, segmented: bool, formats: frozenset[PlaylistFormat], stores_key: bool = False
) -> Forms:
    """`formats` are those of the playlists that name the output."""
    if container is Container.TS and segmented:
        as_ranges = PlaylistFormat.HLS_V4 in formats
        as_segments = not as_ranges or PlaylistFormat.HLS_V3 in formats
        return Forms(as_segments=as_segments, as_ranges=as_ranges, with_key=stores_key)
    return Forms(as_file=True, with_playlist=PlaylistFormat.CMAF in formats)


def master_keys(key: str, playlist_format: PlaylistFormat) -> tuple[str, ...]:
    """All keys of a playlist, from the one that names it."""
    first, *others = MASTER_EXTENSIONS[playlist_format]
    return (key, *(key.removesuffix(first) + extension for extension in others))
