"""Manifests of Smooth Streaming: the server's and the players'."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from functools import partial

from agent.media import smooth
from agent.media.fragments.chunks import Chunk, chunks_of, tracks_in
from agent.media.fragments.texts import TEXT_TRACK
from agent.media.fragments.tracks import Track, audio_configuration, parameter_sets
from agent.media.packaging import captions
from agent.media.packaging.members import Member, Unfit, relative
from agent.media.smooth import Level, Stream
from shared.failures import FailureCode
from shared.languages import three_letters
from shared.protocol import PlaylistSpec

Cut = tuple[Level, tuple[Chunk, ...]]

START_CODE = b"\x00\x00\x00\x01"


def manifests(spec: PlaylistSpec, members: Sequence[Member]) -> tuple[bytes, bytes]:
    cuts = [cut for member in members for cut in _cuts(spec, member)]
    streams = [stream for kind in ("video", "audio") if (stream := _stream(kind, cuts)) is not None]
    streams += _texts(spec, members)
    _, client = spec.keys
    server = smooth.server_manifest(posixpath.basename(client), streams)
    return server, smooth.client_manifest(streams, playready=members[0].playready)


def _cuts(spec: PlaylistSpec, member: Member) -> Iterator[Cut]:
    found = chunks_of(member.reader(member.output.file))
    for track in tracks_in(member.index.header):
        chunks = found[track.id]
        seconds = sum(chunk.duration for chunk in chunks) / smooth.CLOCK
        rate = round(sum(chunk.size for chunk in chunks) * 8 / seconds)
        yield _level(spec, member, track, rate), chunks


def _level(spec: PlaylistSpec, member: Member, track: Track, rate: int) -> Level:
    uri = relative(member.key, spec.key)
    picture, audio = member.output.picture, member.output.audio
    if track.is_picture and picture is not None:
        private = b"".join(START_CODE + one for one in parameter_sets(track.configuration))
        return Level(uri, track.id, rate, private, size=picture.sizing.frame)
    assert audio is not None
    private = audio_configuration(track.configuration)
    return Level(uri, track.id, rate, private, sample_rate=audio.sample_rate, channels=audio.channels)


def _stream(kind: str, cuts: Sequence[Cut]) -> Stream | None:
    """All of a kind. Pictures must be cut alike; of sounds, those that are not cut like the first are left to other players."""
    own = [(level, chunks) for level, chunks in cuts if level.kind == kind]
    if not own:
        return None
    _, first = own[0]
    alike = [level for level, chunks in own if _times(chunks) == _times(first)]
    if kind == "video" and len(alike) < len(own):
        message = "The pictures of the playlist do not start again at the same times; give them one frame rate."
        raise Unfit(message, FailureCode.SEGMENTS_DIFFER)
    return Stream(tuple(_told_apart(alike)), first)


def _texts(spec: PlaylistSpec, members: Sequence[Member]) -> Iterator[Stream]:
    """All members have the same captions: those of the first that has any are named."""
    for rendition in next((texts for member in members if (texts := captions.fragmented(member))), []):
        [file] = rendition.files
        chunks = chunks_of(partial(_part, file.content))[TEXT_TRACK]
        rate = round(len(file.content) * 8 / (sum(chunk.duration for chunk in chunks) / smooth.CLOCK))
        level = Level(relative(file.key, spec.key), TEXT_TRACK, rate, b"")
        yield Stream((level,), chunks, language=three_letters(rendition.language))


def _part(content: bytes, offset: int, length: int) -> bytes:
    return content[offset : offset + length]


def _times(chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
    return [(chunk.time, chunk.duration) for chunk in chunks]


def _told_apart(levels: Sequence[Level]) -> Iterator[Level]:
    """Players and servers know a level by its rate alone: of several with one rate, the others' are a bit more."""
    taken: set[int] = set()
    for level in levels:
        rate = next(rate for rate in range(level.bit_rate, level.bit_rate + len(levels)) if rate not in taken)
        taken.add(rate)
        yield Level(**{**level.__dict__, "bit_rate": rate})
