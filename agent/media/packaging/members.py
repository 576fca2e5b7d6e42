"""What playlists say of an output, read from its bytes once."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import quote

from agent.media import boxes, codecs, transport
from agent.media.boxes import Index, NotIndexed
from agent.media.captions import Rendition, Timeline, Track, renditions
from agent.media.packaging.recipes import Encrypt
from agent.media.packaging.refragmenting import playready_header
from agent.media.planning import PlannedOutput
from agent.media.transport import Still, Tables
from agent.media.verify import Read, Verified
from shared.failures import FailureCode
from shared.jobspec import Container, Forms
from shared.protocol import SegmentProtection, TranscodeFile

SEGMENT_HEAD: Final = 64 * 1024
"""Bytes of a segment in which its tables and the first parameter set surely lie."""


class Unfit(Exception):
    """An output of a kind that the playlist cannot name."""

    def __init__(self, message: str, code: FailureCode = FailureCode.INVALID_JOB) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Place:
    """A segment as it is published: of how many bytes, and from where on in a file of all of them."""

    seconds: float
    size: int
    offset: int


@dataclass(frozen=True)
class Member:
    verified: Verified
    task: TranscodeFile
    read: Read
    tracks: tuple[Track, ...] = ()
    """Its captions, if it asks for any."""

    @property
    def output(self) -> PlannedOutput:
        return self.verified.output

    @property
    def key(self) -> str:
        return self.output.spec.key

    @property
    def is_sound_only(self) -> bool:
        return self.output.video is None

    @cached_property
    def forms(self) -> Forms:
        return self.task.forms(self.output.spec)

    @cached_property
    def captions(self) -> tuple[Rendition, ...]:
        """Those beside it, cut as it is."""
        wanted = self.output.spec.captions
        if wanted is None:
            return ()
        container = self.output.spec.settings.container
        return tuple(renditions(self.output.index, wanted, self.tracks, container, self._timeline))

    @property
    def _timeline(self) -> Timeline | None:
        if self.output.is_segmented:
            seconds = tuple(place.seconds for place in self.places)
            return Timeline(seconds, transport.first_picture(self._segment_head))
        if self.output.spec.settings.container is Container.FMP4:
            return Timeline(tuple(reference.seconds for reference in self.index.references))
        return None

    @cached_property
    def protection(self) -> SegmentProtection | None:
        """Of its segments."""
        return self.task.segment_protection(self.output.spec)

    @cached_property
    def playready(self) -> bytes | None:
        """The header for players, where its fragments are encrypted."""
        protection = self.task.license_protection(self.output.spec)
        return None if protection is None else playready_header(protection)

    @cached_property
    def key_id(self) -> str | None:
        protection = self.task.license_protection(self.output.spec)
        return None if protection is None else protection.key_id

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Of the segments of a transport stream, encrypted where they are to be."""
        places, offset = [], 0
        for segment in self.verified.segments:
            size = segment.size if self.protection is None else Encrypt.size(segment.size)
            places.append(Place(segment.seconds, size, offset))
            offset += size
        return tuple(places)

    @cached_property
    def tables(self) -> Tables:
        try:
            return transport.tables(self._segment_head)
        except transport.NotTransport as error:
            raise Unfit("A segment of the output does not begin as one.") from error

    @cached_property
    def stills(self) -> tuple[Still, ...]:
        """Pictures that need no others, by their place in the file of all segments.

        They are given in bytes of clear segments: players undo the encryption around them.
        """
        if self.tables.video is None:
            return ()
        return tuple(
            Still(place.offset + still.offset, still.size, still.seconds)
            for place, segment in zip(self.places, self.verified.segments, strict=True)
            for still in transport.stills(self.reader(segment.name), segment.size, self.tables.video)
        )

    @cached_property
    def index(self) -> Index:
        """Of the fragments."""
        if self.output.spec.settings.container is not Container.FMP4:
            raise Unfit("A playlist of this format takes outputs of container fmp4.")
        try:
            return boxes.index_of(self.reader(self.output.file))
        except NotIndexed as error:
            raise Unfit("An output of the playlist has no index of its fragments.") from error

    @cached_property
    def spare_brand(self) -> int | None:
        """Where its file says twice of what kind it is: there is room for another kind."""
        return boxes.repeated_brand(self.read(self.output.file, 0, SEGMENT_HEAD))

    @cached_property
    def codecs(self) -> tuple[str, ...]:
        """Of picture and sound; empty when one of them has no string."""
        strings = [self._codec_of(self.output.video.encoder.probed_as)] if self.output.video is not None else []
        audio = self.output.audio
        strings += [codecs.of_audio(audio.encoder.probed_as)] if audio is not None else []
        known = tuple(string for string in strings if string is not None)
        return known if len(known) == len(strings) else ()

    def _codec_of(self, codec: str) -> str | None:
        """Of its picture."""
        if self.output.is_segmented:
            return codecs.from_transport_stream(self._segment_head, codec)
        return codecs.from_movie_header(self.index.header)

    @cached_property
    def _segment_head(self) -> bytes:
        return self.read(self.verified.segments[0].name, 0, SEGMENT_HEAD)

    def reader(self, name: str) -> boxes.ReadAt:
        return lambda offset, length: self.read(name, offset, length)


def relative(key: str, playlist: str) -> str:
    """A reference that a browser resolves against the playlist's address; quoted, so that no key can be taken for more."""
    return quote(posixpath.relpath(f"/{key}", posixpath.dirname(f"/{playlist}")))
