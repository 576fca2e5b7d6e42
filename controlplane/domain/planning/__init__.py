"""From a job document to the task that a node is given: presets resolved, names made whole, demand estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic_core import PydanticCustomError

from controlplane.domain.content_keys import cipher
from controlplane.domain.planning import captions
from controlplane.domain.sources import places
from shared.errors import InvalidField
from shared.ids import PresetId
from shared.jobspec import (
    Container,
    JobDocument,
    Output,
    OutputThumbnails,
    Playlist,
    PlaylistFormat,
    Settings,
    ThumbnailSettings,
)
from shared.jobspec.fields import MAX_KEY_BYTES, RESERVED_SEGMENT, object_key
from shared.protocol import OutputSpec, PlaylistSpec, ThumbnailSpec, TranscodeFile

EXTENSIONS: Final[Mapping[PlaylistFormat, str]] = {PlaylistFormat.HLS_V3: ".m3u8", PlaylistFormat.MPEG_DASH: ".mpd"}
_PLAIN_THUMBNAILS: Final = ThumbnailSettings()


def check(document: JobDocument, presets: Mapping[PresetId, Settings]) -> None:
    """Raises InvalidField, with a pointer into the document, where its parts do not fit together."""
    for index, output in enumerate(document.outputs):
        _check_output(output, settings_of(output, presets), f"/outputs/{index}")
        _check_whole(document.output_key_prefix + output.key, f"/outputs/{index}/key")
        if output.captions is not None:
            captions.check(output.captions, settings_of(output, presets), document, f"/outputs/{index}/captions")
            for key, field in captions.keys(output):
                _check_whole(document.output_key_prefix + captions.longest(key), f"/outputs/{index}{field}")
    for index, playlist in enumerate(document.playlists):
        _check_playlist(playlist, document, presets, f"/playlists/{index}")
    _refuse_collisions(document, presets)


def _check_whole(key: str, pointer: str) -> None:
    """Prefix and name were checked each by itself: together they must be a key as well.

    Plain ones are, unless they grow too long or their seam makes the reserved segment.
    """
    if key.isascii() and len(key) <= MAX_KEY_BYTES and not key.startswith(RESERVED_SEGMENT):
        return
    try:
        object_key(key)
    except PydanticCustomError as error:
        raise InvalidField(f"With its prefix this is no key: {error.message()}", pointer=pointer) from error


def plan(document: JobDocument, presets: Mapping[PresetId, Settings]) -> TranscodeFile:
    """The whole work of a job as one task; `check` passed the document when it was submitted."""
    named = {output.key: index for index, output in enumerate(document.outputs)}
    read = places(document)
    return TranscodeFile(
        outputs=tuple(
            OutputSpec(
                index=index,
                key=document.output_key_prefix + output.key,
                settings=(settings := settings_of(output, presets)),
                segment_duration=output.segment_duration,
                thumbnails=_thumbnails(output.thumbnails, settings, document.output_key_prefix),
                captions=output.captions and captions.of_output(output.captions, document.output_key_prefix, read),
                encryption=cipher(output.encryption),
            )
            for index, output in enumerate(document.outputs)
        ),
        playlists=tuple(
            PlaylistSpec(
                index=index,
                key=document.output_key_prefix + playlist.name + EXTENSIONS[playlist.format],
                format=playlist.format,
                outputs=tuple(named[key] for key in playlist.output_keys),
            )
            for index, playlist in enumerate(document.playlists)
        ),
        hardware=document.placement.hardware,
        captions=tuple(captions.of_input(source.captions, read) for source in document.inputs),
    )


def settings_of(output: Output, presets: Mapping[PresetId, Settings]) -> Settings:
    """Its own, or those of the preset that it names."""
    return output.settings or presets[PresetId(output.preset_id or "")]


def _check_output(output: Output, settings: Settings, where: str) -> None:
    if output.segment_duration is not None and settings.container is not Container.TS:
        detail = f"Only ts outputs are cut into segments; this one is {settings.container}."
        raise InvalidField(detail, pointer=f"{where}/segment_duration")
    if output.thumbnails is not None and settings.video is None:
        raise InvalidField("A sound-only output has no thumbnails.", pointer=f"{where}/thumbnails")
    if output.encryption is not None and output.segment_duration is not None:
        detail = "Segments are not encrypted as files: no player could read them; protect the playlist instead."
        raise InvalidField(detail, pointer=f"{where}/encryption")


def _thumbnails(wish: OutputThumbnails | None, settings: Settings, prefix: str) -> ThumbnailSpec | None:
    if wish is None:
        return None
    base = settings.thumbnails or _PLAIN_THUMBNAILS
    changes = wish.model_dump(exclude={"pattern", "encryption"}, exclude_none=True)
    return ThumbnailSpec(
        pattern=prefix + wish.pattern,
        settings=base.model_copy(update=changes),
        encryption=cipher(wish.encryption),
    )


def _check_playlist(
    playlist: Playlist, document: JobDocument, presets: Mapping[PresetId, Settings], where: str
) -> None:
    named = {output.key: output for output in document.outputs}
    for position, key in enumerate(playlist.output_keys):
        pointer = f"{where}/output_keys/{position}"
        if key not in named:
            raise InvalidField(f"No output of this job has the key {key!r}.", pointer=pointer)
        member = named[key]
        problem = _unfit(playlist.format, member, settings_of(member, presets), named[playlist.output_keys[0]])
        if problem:
            raise InvalidField(problem, pointer=pointer)


def _unfit(playlist_format: PlaylistFormat, output: Output, settings: Settings, first: Output) -> str | None:
    """Why an output cannot be in a playlist, or None."""
    if output.encryption is not None:
        return "No player reads an output that is encrypted as a file; protect the playlist instead."
    if playlist_format is PlaylistFormat.MPEG_DASH:
        return None if settings.container is Container.FMP4 else "An MPEG-DASH playlist takes fmp4 outputs."
    if settings.container is not Container.TS or output.segment_duration is None:
        return "An HLSv3 playlist takes ts outputs with a `segment_duration`."
    if output.segment_duration != first.segment_duration:
        return "All outputs of a playlist have the same `segment_duration`."
    return None


def _refuse_collisions(document: JobDocument, presets: Mapping[PresetId, Settings]) -> None:
    """Two things of one job must not be written to the same key."""
    taken = _Taken()
    for index, output in enumerate(document.outputs):
        key = output.key + ".m3u8" if output.segment_duration is not None else output.key
        taken.add(key, f"/outputs/{index}/key")
        if output.thumbnails is not None:
            base = settings_of(output, presets).thumbnails or _PLAIN_THUMBNAILS
            extended = f"{output.thumbnails.pattern}.{output.thumbnails.format or base.format}"
            taken.add(extended, f"/outputs/{index}/thumbnails/pattern")
        for key, field in captions.keys(output):
            taken.share(key, f"/outputs/{index}{field}", output.captions, output.segment_duration)
    for index, playlist in enumerate(document.playlists):
        taken.add(playlist.name + EXTENSIONS[playlist.format], f"/playlists/{index}/name")


class _Taken:
    """Keys and the folders above them, each with the pointer of what took it first."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._folders: dict[str, str] = {}
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
            raise InvalidField(f"This would be written to the same key as {self._keys[key]}.", pointer=pointer)
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


def _beside(owner: str, pointer: str) -> InvalidField:
    detail = f"This cannot be an object beside {owner}: one key is a folder of the other."
    return InvalidField(detail, pointer=pointer)
