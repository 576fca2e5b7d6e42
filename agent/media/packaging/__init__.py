"""Verified files as published objects, and the playlists that name them.

outputs    the objects of an output, under the names that clients were promised (`shared.jobspec.names`)
captions   the objects of captions, and what playlists say of them
members    what playlists say of an output
hls        masters of HLSv3 and HLSv4
dash       manifests of MPEG-DASH
smooth     manifests of Smooth Streaming
cmaf       both of them, of the same files
recipes    what is done to the files before they are published
refragmenting   what is done to fragmented files before anything is said of them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.media.captions import Track
from agent.media.packaging import captions, cmaf, dash, hls, smooth
from agent.media.packaging.members import Member, Unfit
from agent.media.packaging.outputs import Objects, objects_of
from agent.media.packaging.recipes import Encrypt, Join, Mark, Recipe
from agent.media.packaging.refragmenting import refragment
from agent.media.verify import Read, Verified
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec import PlaylistFormat
from shared.protocol import OutputResult, PlaylistResult, PlaylistSpec, ProducedObject, TranscodeFile
from shared.statuses import JobStatus

__all__ = ["Encrypt", "Join", "Mark", "Package", "Recipe", "package", "refragment"]

Masters = Callable[[PlaylistSpec, Sequence[Member]], tuple[bytes, ...]]
"""The contents of a playlist's objects, in the order of its keys; raises Unfit."""

MASTERS: Final[Mapping[PlaylistFormat, Masters]] = {
    PlaylistFormat.HLS_V3: hls.version_3,
    PlaylistFormat.HLS_V4: hls.version_4,
    PlaylistFormat.MPEG_DASH: dash.manifests,
    PlaylistFormat.SMOOTH: smooth.manifests,
    PlaylistFormat.CMAF: cmaf.both,
}


NO_TRACKS: Final[Mapping[int, tuple[Track, ...]]] = {}


@dataclass(frozen=True)
class Package:
    files: Mapping[str, bytes]
    """To be written into out/: playlists, and keys that are stored beside them."""
    outputs: tuple[OutputResult, ...]
    playlists: tuple[PlaylistResult, ...]
    recipes: tuple[Recipe, ...]
    """To be followed in their order; the sizes of objects are those afterwards."""


def package(
    task: TranscodeFile,
    verified: Mapping[int, Verified],
    *,
    read: Read,
    tracks: Mapping[int, tuple[Track, ...]] = NO_TRACKS,
) -> Package:
    """Results of what was verified; a playlist with an output that was not is an error. `tracks`: an output's captions."""
    members = {
        spec.index: Member(verified[spec.index], task, read, tracks.get(spec.index, ()))
        for spec in task.outputs
        if spec.index in verified
    }
    objects = {index: objects_of(member) for index, member in members.items()}
    captions.add(members, objects)
    files = {name: content for made in objects.values() for name, content in made.files.items()}
    outputs = tuple(_result(member, objects[index]) for index, member in members.items())
    playlists = tuple(_playlist(spec, members, files) for spec in task.playlists)
    recipes = tuple(recipe for made in objects.values() for recipe in made.recipes)
    return Package(files, outputs, playlists, recipes)


def _result(member: Member, made: Objects) -> OutputResult:
    output, picture = member.output, member.output.picture
    return OutputResult(
        index=output.index,
        status=JobStatus.COMPLETE,
        width=picture.sizing.frame.width if picture else None,
        height=picture.sizing.frame.height if picture else None,
        frame_rate=round(float(picture.rate), 3) if picture else None,
        duration=member.verified.duration,
        size=member.verified.size,
        encoder=output.encoder,
        applied_color_space_conversion=picture.colours.applied if picture else None,
        objects=made.objects,
    )


def _playlist(spec: PlaylistSpec, members: Mapping[int, Member], files: dict[str, bytes]) -> PlaylistResult:
    if any(index not in members for index in spec.outputs):
        return _failed(spec, Cause.UNKNOWN, FailureCode.DEPENDENCY_FAILED, "An output that the playlist names failed.")
    try:
        contents = MASTERS[spec.format](spec, [members[index] for index in spec.outputs])
    except Unfit as unfit:
        return _failed(spec, Cause.INPUT, unfit.code, str(unfit))
    produced = []
    for key, content in zip(spec.keys, contents, strict=True):
        name = f"p{spec.index}.{key.rpartition('.')[2]}"
        files[name] = content
        produced.append(ProducedObject(name=name, key=key, size=len(content), role="master_playlist"))
    return PlaylistResult(index=spec.index, status=JobStatus.COMPLETE, objects=tuple(produced))


def _failed(spec: PlaylistSpec, cause: Cause, code: FailureCode, message: str) -> PlaylistResult:
    failure = Failure(cause=cause, code=code, message=message)
    return PlaylistResult(index=spec.index, status=JobStatus.ERROR, failure=failure)
