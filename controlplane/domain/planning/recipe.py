"""What a job makes, apart from what it makes it of: its outputs and playlists.

Tenants send film after film through the same few recipes: what follows from a recipe alone need be found out once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson
from pydantic import TypeAdapter
from pydantic_core import PydanticCustomError

from controlplane.domain.planning import captions
from shared.errors import InvalidField
from shared.jobspec import Output, Playlist, Settings, VideoSettings
from shared.jobspec.fields import MAX_KEY_BYTES, MOST_SEGMENTS, object_key

_OUTPUTS: Final = TypeAdapter(tuple[Output, ...])
_PLAYLISTS: Final = TypeAdapter(tuple[Playlist, ...])


@dataclass(frozen=True, eq=False)
class Recipe:
    """Its parts fit together: `planning.check` made it."""

    outputs: tuple[Output, ...]
    playlists: tuple[Playlist, ...]
    settings: tuple[Settings, ...]
    """Of each output: its own, or those of the preset that it names."""

    def check_keys(self, prefix: str) -> None:
        """Prefix and name were checked each by itself: together they must be a key as well. Raises InvalidField.

        Plain ones are, unless they grow too long or too deep or their seam makes the reserved segment.
        """
        is_plain = prefix.isascii() and not prefix.startswith(".")
        is_deep = prefix.count("/") + self._most_slashes >= MOST_SEGMENTS
        if is_plain and not is_deep and len(prefix) + self._longest_plain <= MAX_KEY_BYTES:
            return
        for key, pointer in self._keys:
            try:
                object_key(prefix + key)
            except PydanticCustomError as error:
                raise InvalidField(f"With its prefix this is no key: {error.message()}", pointer=pointer) from error

    @cached_property
    def videos(self) -> Sequence[VideoSettings]:
        """Of every output that has a picture."""
        return [settings.video for settings in self.settings if settings.video is not None]

    @cached_property
    def fields(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """`outputs` and `playlists` as dictionaries."""
        return {"outputs": _OUTPUTS.dump_python(self.outputs), "playlists": _PLAYLISTS.dump_python(self.playlists)}

    @cached_property
    def texts(self) -> Mapping[str, bytes]:
        """The same as JSON."""
        return {name: orjson.dumps(parts) for name, parts in self.fields.items()}

    @cached_property
    def _keys(self) -> Sequence[tuple[str, str]]:
        """What outputs and their captions are called, at the longest, and which field says so."""
        return [
            (key, f"/outputs/{index}{field}")
            for index, (output, settings) in enumerate(zip(self.outputs, self.settings, strict=True))
            for key, field in ((output.key, "/key"), *captions.longest_keys(output, settings.container))
        ]

    @cached_property
    def _most_slashes(self) -> int:
        return max(key.count("/") for key, _ in self._keys)

    @cached_property
    def _longest_plain(self) -> int:
        """Characters of the longest key; more than a key may have unless all of them are plain."""
        keys = [key for key, _ in self._keys]
        return max(map(len, keys)) if all(map(str.isascii, keys)) else MAX_KEY_BYTES + 1
