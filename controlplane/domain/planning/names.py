"""Whether everything that a job makes has a key of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controlplane.domain.planning import captions
from controlplane.domain.planning.recipe import Recipe
from shared.errors import InvalidField
from shared.jobspec import (
    MASTER_EXTENSIONS,
    Playlist,
    PlaylistFormat,
    ThumbnailSettings,
    forms,
)
from shared.jobspec.names import SEGMENT
from shared.jobspec.protection import KeyStoragePolicy

PLAIN_THUMBNAILS: Final = ThumbnailSettings()


def refuse_collisions(recipe: Recipe) -> None:
    """Two things of one job must not be written to the same key."""
    taken, formats, with_keys = _Taken(), _formats(recipe.playlists), _with_keys(recipe.playlists)
    for index, (output, settings) in enumerate(zip(recipe.outputs, recipe.settings, strict=True)):
        pointer = f"/outputs/{index}/key"
        published = forms(
            settings.container,
            segmented=output.segment_duration is not None,
            formats=formats.get(output.key, _IN_NONE),
            stores_key=output.key in with_keys,
        )
        for ending in published.endings:
            taken.add(output.key + ending, pointer)
        if published.as_segments:
            taken.add_segments(output.key, pointer)
        if output.thumbnails is not None:
            base = settings.thumbnails or PLAIN_THUMBNAILS
            extended = f"{output.thumbnails.pattern}.{output.thumbnails.format or base.format}"
            taken.add(extended, f"/outputs/{index}/thumbnails/pattern")
            if output.thumbnails.sprite is not None:
                taken.add(f"{output.thumbnails.sprite.key}.vtt", f"/outputs/{index}/thumbnails/sprite/key")
        for key, field in captions.keys(output, settings.container):
            taken.share(key, f"/outputs/{index}{field}", output.captions, output.segment_duration, output.clip)
    for index, playlist in enumerate(recipe.playlists):
        for extension in MASTER_EXTENSIONS[playlist.format]:
            taken.add(playlist.name + extension, f"/playlists/{index}/name")
    taken.refuse_segments()


_IN_NONE: Final[frozenset[PlaylistFormat]] = frozenset()


def _formats(playlists: Sequence[Playlist]) -> dict[str, frozenset[PlaylistFormat]]:
    """Those of the playlists that name an output, by the output's key."""
    found: dict[str, frozenset[PlaylistFormat]] = {}
    for playlist in playlists:
        one = frozenset({playlist.format})
        for key in playlist.output_keys:
            found[key] = found[key] | one if key in found else one
    return found


def _with_keys(playlists: Sequence[Playlist]) -> set[str]:
    """The keys of outputs beside whose segments the content key is stored."""
    return {
        key
        for playlist in playlists
        if (protection := playlist.hls_content_protection) is not None
        and protection.key_storage_policy is KeyStoragePolicy.WITH_VARIANT_PLAYLISTS
        for key in playlist.output_keys
    }


class _Taken:
    """Keys and the folders above them, each with the pointer of what took it first."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._segments: dict[str, str] = {}
        self._shared: dict[str, object] = {}

    def share(self, key: str, pointer: str, *content: object) -> None:
        """Like `add`, unless it was taken before for the very same content."""
        if key in self._shared and self._shared[key] == content:
            return
        self.add(key, pointer)
        self._shared[key] = content

    def add(self, key: str, pointer: str) -> None:
        """Raises InvalidField where the key is taken, or one key is a folder of the other."""
        if key in self._keys:
            raise _same(self._keys[key], pointer)
        if key in self._folders:
            raise _beside(self._folders[key], pointer)
        self._keys[key] = pointer
        end = key.find("/")
        while end >= 0:
            folder = key[:end]
            if folder in self._keys:
                raise _beside(self._keys[folder], pointer)
            self._folders.setdefault(folder, pointer)
            end = key.find("/", end + 1)

    def add_segments(self, stem: str, pointer: str) -> None:
        self._segments[stem] = pointer

    def refuse_segments(self) -> None:
        """Raises InvalidField where a key is one that a segment may get; nobody knows yet how many there will be."""
        if not self._segments:
            return
        for key, pointer in self._keys.items():
            if not key.endswith(".ts"):
                continue
            for stem, owner in self._segments.items():
                if key.startswith(stem) and SEGMENT.fullmatch(key, len(stem)):
                    raise _same(owner, pointer)


def _same(owner: str, pointer: str) -> InvalidField:
    return InvalidField(f"This would be written to the same key as {owner}.", pointer=pointer)


def _beside(owner: str, pointer: str) -> InvalidField:
    detail = f"This cannot be an object beside {owner}: one key is a folder of the other."
    return InvalidField(detail, pointer=pointer)
