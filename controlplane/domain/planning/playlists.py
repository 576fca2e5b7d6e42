"""Which outputs go together in which playlist. A new format is a new row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from shared.errors import InvalidField
from shared.jobspec import Container, Output, Playlist, PlaylistFormat, Settings

Wanted = tuple[Output, Settings]
"""An output as it was sent, and what its preset says."""


def check_playlist(playlist: Playlist, outputs: Sequence[Output], chosen: Sequence[Settings], where: str) -> None:
    """Raises InvalidField at the first output that cannot be in it."""
    named = {output.key: (output, settings) for output, settings in zip(outputs, chosen, strict=True)}
    for position, key in enumerate(playlist.output_keys):
        pointer = f"{where}/output_keys/{position}"
        if key not in named:
            raise InvalidField(f"No output of this job has the key {key!r}.", pointer=pointer)
        if key in playlist.output_keys[:position]:
            raise InvalidField("A playlist names an output once.", pointer=pointer)
        problem = MEMBERS[playlist.format](named[key]) or _unlike(named[key], named[playlist.output_keys[0]])
        if problem:
            raise InvalidField(problem, pointer=pointer)


def _in_segments(wanted: Wanted) -> str | None:
    output, settings = wanted
    if settings.container is not Container.TS or output.segment_duration is None:
        return "An HLS playlist takes ts outputs with a `segment_duration`."
    return None


def _in_fragments(wanted: Wanted) -> str | None:
    _, settings = wanted
    return None if settings.container is Container.FMP4 else "A playlist of this format takes fmp4 outputs."


def _in_one_track(wanted: Wanted) -> str | None:
    _, settings = wanted
    if settings.video is not None and settings.audio is not None:
        return "A CMAF playlist takes outputs of picture or of sound: every file of it has one track."
    return _in_fragments(wanted)


MEMBERS: Final[Mapping[PlaylistFormat, Callable[[Wanted], str | None]]] = {
    PlaylistFormat.HLS_V3: _in_segments,
    PlaylistFormat.HLS_V4: _in_segments,
    PlaylistFormat.MPEG_DASH: _in_fragments,
    PlaylistFormat.CMAF: _in_one_track,
}
"""Why an output cannot be in a playlist of a format, or None."""


def _unlike(wanted: Wanted, first: Wanted) -> str | None:
    """What an output does not have in common with the first one of its playlist."""
    if wanted[0].encryption is not None:
        return "No player reads an output that is encrypted as a file; protect the playlist instead."
    if wanted[0].segment_duration != first[0].segment_duration:
        return "All outputs of a playlist have the same `segment_duration`."
    if wanted[0].captions != first[0].captions:
        return "All outputs of a playlist have the same `captions`."
    return None
