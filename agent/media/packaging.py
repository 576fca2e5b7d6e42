"""Verified files as published objects, and the playlists that name them.

The names of keys are a promise to clients: segments are the output's key with five digits and `.ts`, their playlist is the key with
`.m3u8`, thumbnails follow their pattern with `{count}` as five digits from 00001 and `{resolution}` as WxH.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from agent.media import boxes, codecs, dash, hls
from agent.media.boxes import Index, NotIndexed
from agent.media.planning import PlannedOutput, PlannedThumbnails
from agent.media.verify import File, Read, Segment, Verified
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec import Container, PlaylistFormat
from shared.protocol import OutputResult, PlaylistResult, PlaylistSpec, ProducedObject, TranscodeFile
from shared.statuses import JobStatus

SEGMENT_HEAD: Final = 64 * 1024
"""Bytes of a segment in which the first parameter set surely lies."""


@dataclass(frozen=True)
class Package:
    files: Mapping[str, bytes]
    """To be written into out/: playlists."""
    outputs: tuple[OutputResult, ...]
    playlists: tuple[PlaylistResult, ...]


def package(task: TranscodeFile, verified: Mapping[int, Verified], *, read: Read) -> Package:
    """Results of what was verified; a playlist with an output that was not is an error."""
    files: dict[str, bytes] = {}
    outputs = tuple(_output(verified[spec.index], files) for spec in task.outputs if spec.index in verified)
    playlists = tuple(_playlist(spec, verified, files, read) for spec in task.playlists)
    return Package(files, outputs, playlists)


def _output(verified: Verified, files: dict[str, bytes]) -> OutputResult:
    output = verified.output
    picture = output.picture
    return OutputResult(
        index=output.index,
        status=JobStatus.COMPLETE,
        width=picture.sizing.frame.width if picture else None,
        height=picture.sizing.frame.height if picture else None,
        frame_rate=round(float(picture.rate), 3) if picture else None,
        duration=verified.duration,
        size=verified.size,
        encoder=output.encoder,
        objects=(*_media_objects(verified, files), *_thumbnail_objects(output.thumbnails, verified.thumbnails)),
    )


def _media_objects(verified: Verified, files: dict[str, bytes]) -> tuple[ProducedObject, ...]:
    output = verified.output
    if not output.is_segmented:
        return (ProducedObject(name=output.file, key=output.spec.key, size=verified.size, role="media"),)
    segments = [
        ProducedObject(name=segment.name, key=_segment_key(output, number), size=segment.size, role="media")
        for number, segment in enumerate(verified.segments)
    ]
    name = f"m{output.index}.m3u8"
    files[name] = hls.media_playlist(_entries(output, verified.segments))
    playlist = ProducedObject(name=name, key=_media_playlist_key(output), size=len(files[name]), role="media_playlist")
    return (*segments, playlist)


def _thumbnail_objects(planned: PlannedThumbnails | None, made: tuple[File, ...]) -> tuple[ProducedObject, ...]:
    if planned is None:
        return ()
    pattern = (
        planned.spec.pattern.replace("{resolution}", str(planned.sizing.frame)) + f".{planned.spec.settings.format}"
    )
    return tuple(
        ProducedObject(name=file.name, key=pattern.replace("{count}", f"{count:05d}"), size=file.size, role="thumbnail")
        for count, file in enumerate(made, start=1)
    )


def _playlist(
    spec: PlaylistSpec, verified: Mapping[int, Verified], files: dict[str, bytes], read: Read
) -> PlaylistResult:
    if any(index not in verified for index in spec.outputs):
        return _failed(spec, Cause.UNKNOWN, FailureCode.DEPENDENCY_FAILED, "An output that the playlist names failed.")
    members = [verified[index] for index in spec.outputs]
    try:
        match spec.format:
            case PlaylistFormat.HLS_V3:
                name, content = f"p{spec.index}.m3u8", hls.master_playlist([_variant(spec, m, read) for m in members])
            case PlaylistFormat.MPEG_DASH:
                name, content = f"p{spec.index}.mpd", dash.manifest([_representation(spec, m, read) for m in members])
    except _Unfit as unfit:
        return _failed(spec, Cause.INPUT, FailureCode.INVALID_JOB, str(unfit))
    files[name] = content
    produced = ProducedObject(name=name, key=spec.key, size=len(content), role="master_playlist")
    return PlaylistResult(index=spec.index, status=JobStatus.COMPLETE, objects=(produced,))


class _Unfit(Exception):
    """An output of a kind that the playlist cannot name."""


def _failed(spec: PlaylistSpec, cause: Cause, code: FailureCode, message: str) -> PlaylistResult:
    failure = Failure(cause=cause, code=code, message=message)
    return PlaylistResult(index=spec.index, status=JobStatus.ERROR, failure=failure)


def _variant(spec: PlaylistSpec, verified: Verified, read: Read) -> hls.Variant:
    output = verified.output
    if not output.is_segmented:
        raise _Unfit("An HLSv3 playlist takes outputs of container ts with a segment duration.")
    head = read(verified.segments[0].name, 0, SEGMENT_HEAD)
    return hls.Variant(
        uri=_relative(_media_playlist_key(output), spec.key),
        entries=_entries(output, verified.segments),
        size=output.picture.sizing.frame if output.picture else None,
        frame_rate=output.picture.rate if output.picture else None,
        codecs=_codecs(output, codecs.from_transport_stream(head)),
    )


def _representation(spec: PlaylistSpec, verified: Verified, read: Read) -> dash.Representation:
    output = verified.output
    if output.spec.settings.container is not Container.FMP4:
        raise _Unfit("An MPEG-DASH playlist takes outputs of container fmp4.")
    index = _index(output, read)
    return dash.Representation(
        id=str(output.index),
        uri=_relative(output.spec.key, spec.key),
        index=index,
        codecs=_codecs(output, codecs.from_movie_header(index.header)),
        duration=verified.duration,
        size=output.picture.sizing.frame if output.picture else None,
        frame_rate=output.picture.rate if output.picture else None,
        sample_rate=output.audio.sample_rate if output.audio else None,
        channels=output.audio.channels if output.audio else None,
    )


def _index(output: PlannedOutput, read: Read) -> Index:
    try:
        return boxes.index_of(lambda offset, length: read(output.file, offset, length))
    except NotIndexed as error:
        raise _Unfit("An output of the playlist has no index of its fragments.") from error


def _codecs(output: PlannedOutput, of_video: str | None) -> tuple[str, ...]:
    strings = [of_video] if output.video is not None else []
    strings += [codecs.of_audio(output.audio.encoder.probed_as)] if output.audio is not None else []
    known = tuple(string for string in strings if string is not None)
    return known if len(known) == len(strings) else ()


def _entries(output: PlannedOutput, segments: tuple[Segment, ...]) -> tuple[hls.Entry, ...]:
    playlist = _media_playlist_key(output)
    return tuple(
        hls.Entry(_relative(_segment_key(output, number), playlist), segment.seconds, segment.size)
        for number, segment in enumerate(segments)
    )


def _segment_key(output: PlannedOutput, number: int) -> str:
    return f"{output.spec.key}{number:05d}.ts"


def _media_playlist_key(output: PlannedOutput) -> str:
    return f"{output.spec.key}.m3u8"


def _relative(key: str, playlist: str) -> str:
    """A reference that a browser resolves against the playlist's address; quoted, so that no key can be taken for more."""
    return quote(posixpath.relpath(f"/{key}", posixpath.dirname(f"/{playlist}")))
