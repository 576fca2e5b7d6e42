"""From a job document to the task that a node is given: presets resolved, names made whole, demand estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.capacity import Demand
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
    VideoCodec,
)
from shared.protocol import OutputSpec, PlaylistSpec, ThumbnailSpec, TranscodeFile

EXTENSIONS: Final[Mapping[PlaylistFormat, str]] = {PlaylistFormat.HLS_V3: ".m3u8", PlaylistFormat.MPEG_DASH: ".mpd"}
MEBIBYTE: Final = 1024 * 1024


def plan(document: JobDocument, presets: Mapping[PresetId, Settings]) -> TranscodeFile:
    """The whole work of a job as one task.

    Raises InvalidField, with a pointer into the document, where its parts do not fit together.
    """
    outputs = tuple(_output(index, output, document, presets) for index, output in enumerate(document.outputs))
    playlists = tuple(
        _playlist(index, playlist, document, outputs) for index, playlist in enumerate(document.playlists)
    )
    _refuse_collisions(outputs, playlists)
    return TranscodeFile(outputs=outputs, playlists=playlists, hardware=document.placement.hardware)


def demand(work: TranscodeFile, input_size: int) -> Demand:
    """What the task takes, from what is known before the input is probed.

    Two threads keep one software rendition busy; a rendition holds frames, lookahead and reference pictures in memory;
    the workspace holds the input and outputs that are seldom larger.
    """
    renditions = [output.settings.video for output in work.outputs if output.settings.video is not None]
    hardware = sum(video.codec is VideoCodec.H264 for video in renditions)
    return Demand(
        cpu_threads=max(1, 2 * len(renditions)),
        memory=(128 + 192 * len(renditions)) * MEBIBYTE,
        scratch=64 * MEBIBYTE + 2 * input_size,
        nvenc_sessions=hardware,
    )


def _output(index: int, output: Output, document: JobDocument, presets: Mapping[PresetId, Settings]) -> OutputSpec:
    settings = output.settings or presets[PresetId(output.preset_id or "")]
    where = f"/outputs/{index}"
    if output.segment_duration is not None and settings.container is not Container.TS:
        raise InvalidField(
            f"Only ts outputs are cut into segments; this one is {settings.container}.",
            pointer=f"{where}/segment_duration",
        )
    return OutputSpec(
        index=index,
        key=document.output_key_prefix + output.key,
        settings=settings,
        segment_duration=output.segment_duration,
        thumbnails=_thumbnails(output.thumbnails, settings, document.output_key_prefix, where)
        if output.thumbnails
        else None,
    )


def _thumbnails(wish: OutputThumbnails, settings: Settings, prefix: str, where: str) -> ThumbnailSpec:
    if settings.video is None:
        raise InvalidField("A sound-only output has no thumbnails.", pointer=f"{where}/thumbnails")
    base = settings.thumbnails or ThumbnailSettings()
    changes = wish.model_dump(exclude={"pattern"}, exclude_none=True)
    return ThumbnailSpec(pattern=prefix + wish.pattern, settings=base.model_copy(update=changes))


def _playlist(index: int, playlist: Playlist, document: JobDocument, outputs: tuple[OutputSpec, ...]) -> PlaylistSpec:
    where = f"/playlists/{index}"
    named = {output.key: index for index, output in enumerate(document.outputs)}
    for position, key in enumerate(playlist.output_keys):
        if key not in named:
            raise InvalidField(f"No output of this job has the key {key!r}.", pointer=f"{where}/output_keys/{position}")
    members = [outputs[named[key]] for key in playlist.output_keys]
    for position, member in enumerate(members):
        problem = _unfit(playlist.format, member, members[0])
        if problem:
            raise InvalidField(problem, pointer=f"{where}/output_keys/{position}")
    return PlaylistSpec(
        index=index,
        key=document.output_key_prefix + playlist.name + EXTENSIONS[playlist.format],
        format=playlist.format,
        outputs=tuple(member.index for member in members),
    )


def _unfit(playlist_format: PlaylistFormat, output: OutputSpec, first: OutputSpec) -> str | None:
    """Why an output cannot be in a playlist, or None."""
    if playlist_format is PlaylistFormat.MPEG_DASH:
        return None if output.settings.container is Container.FMP4 else "An MPEG-DASH playlist takes fmp4 outputs."
    if output.settings.container is not Container.TS or output.segment_duration is None:
        return "An HLSv3 playlist takes ts outputs with a `segment_duration`."
    if output.segment_duration != first.segment_duration:
        return "All outputs of a playlist have the same `segment_duration`."
    return None


def _refuse_collisions(outputs: tuple[OutputSpec, ...], playlists: tuple[PlaylistSpec, ...]) -> None:
    """Two things of one job must not be written to the same key."""
    taken: dict[str, str] = {}
    for output in outputs:
        key = output.key + ".m3u8" if output.segment_duration is not None else output.key
        _take(taken, key, f"/outputs/{output.index}/key")
        if output.thumbnails:
            extended = f"{output.thumbnails.pattern}.{output.thumbnails.settings.format}"
            _take(taken, extended, f"/outputs/{output.index}/thumbnails/pattern")
    for playlist in playlists:
        _take(taken, playlist.key, f"/playlists/{playlist.index}/name")


def _take(taken: dict[str, str], key: str, pointer: str) -> None:
    if key in taken:
        raise InvalidField(f"This would be written to the same key as {taken[key]}.", pointer=pointer)
    taken[key] = pointer
