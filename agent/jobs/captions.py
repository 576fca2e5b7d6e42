"""Gathers the captions of a job before anything is planned with them: what is embedded in its inputs, and what lies beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import structlog

from agent.jobs.workspace import Workspace
from agent.media import MediaFacts, of_clip, tracks_file
from agent.media.captions import (
    HEAD_OF_STREAM,
    MAX_EMBEDDED,
    MAX_SIDECAR,
    NOTHING_ANNOUNCED,
    Announced,
    Cues,
    Extraction,
    NotUtf8,
    Stretch,
    Track,
    Unreadable,
    announced,
    chosen,
    joined,
    of_pictures,
    of_text,
    read,
    read_pictures,
    read_text,
    shifted,
    texts,
    unfit,
    writing,
)
from agent.sandbox import Exit
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec.captions import CaptionFormat, MergePolicy
from shared.protocol import InputCaptionsSpec, OutputCaptionsSpec, OutputSpec, TranscodeFile

Extract = Callable[[Sequence[str]], Awaitable[Exit]]
"""Runs ffmpeg, confined."""

TRANSPORT_STREAM: Final = "mpegts"
EMBEDDED_ONLY: Final = InputCaptionsSpec(merge_policy=MergePolicy.MERGE_RETAIN)
"""Of an input of which nothing was told."""

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class Captions:
    """What every output that asks for captions gets, or why it fails; by index."""

    tracks: Mapping[int, tuple[Track, ...]] = field(default_factory=dict)
    failures: Mapping[int, Failure] = field(default_factory=dict)

    def embedded(self, task: TranscodeFile) -> dict[int, int]:
        """How many tracks of text every output carries within it."""
        return {
            output.index: len(self.tracks[output.index])
            for output in task.outputs
            if output.captions is not None
            and output.index in self.tracks
            and any(wanted.format is CaptionFormat.MOV_TEXT for wanted in output.captions.formats)
        }

    def closed(self, output: OutputSpec) -> Track | None:
        """What lies within the pictures of an output."""
        wanted = output.captions
        if wanted is None or all(one.format is not CaptionFormat.CEA_708 for one in wanted.formats):
            return None
        return next(iter(self.tracks.get(output.index, ())), None)


class Uncaptioned(Exception):
    """An output cannot have the captions that it asks for."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def gather(
    task: TranscodeFile,
    inputs: Sequence[tuple[int, MediaFacts, Stretch]],
    lost: Mapping[int, Failure],
    space: Workspace,
    extract: Extract,
) -> Captions:
    """`inputs`: of each, its place in the workspace, its facts, and what of it is shown where. `lost`: what is not there."""
    gathering = _Gathering(task, inputs, lost, space, extract)
    tracks: dict[int, tuple[Track, ...]] = {}
    failures: dict[int, Failure] = {}
    for output in task.outputs:
        if output.captions is not None:
            try:
                tracks[output.index] = await gathering.of(output, output.captions)
            except Uncaptioned as refused:
                log.warning("captions.refused", output=output.index, code=refused.failure.code)
                failures[output.index] = refused.failure
    return Captions(tracks, failures)


class _Gathering:
    """Reads everything once, however many outputs want it."""

    def __init__(
        self,
        task: TranscodeFile,
        inputs: Sequence[tuple[int, MediaFacts, Stretch]],
        lost: Mapping[int, Failure],
        space: Workspace,
        extract: Extract,
    ) -> None:
        self._task = task
        self._inputs = inputs
        self._lost = lost
        self._space = space
        self._extract = extract
        self._embedded: dict[int, tuple[Track, ...] | Uncaptioned] = {}
        self._sidecars: dict[int, Cues | Uncaptioned] = {}

    async def of(self, output: OutputSpec, wanted: OutputCaptionsSpec) -> tuple[Track, ...]:
        parts = []
        for number, (place, facts, stretch) in enumerate(self._inputs):
            told = wanted.own or self._told(number)
            embedded = () if told.merge_policy is MergePolicy.OVERRIDE else await self._tracks_in(place, facts)
            sidecars = [await self._beside(told, source) for source in range(len(told.sources))]
            parts.append((stretch, chosen(embedded, sidecars, told.merge_policy)))
        tracks = joined(parts)
        if output.clip is not None:
            tracks = joined([(of_clip(output.clip), tracks)])
        formats = [one.format for one in wanted.formats]
        if (failure := await asyncio.to_thread(unfit, tracks, formats)) is not None:
            raise Uncaptioned(failure)
        if CaptionFormat.MOV_TEXT in formats and tracks:
            await self._write_tracks(output.index, tracks)
        return tracks

    def _told(self, number: int) -> InputCaptionsSpec:
        told = self._task.captions[number] if number < len(self._task.captions) else None
        return told or EMBEDDED_ONLY

    async def _beside(self, told: InputCaptionsSpec, number: int) -> Track:
        source = told.sources[number]
        if source.input not in self._sidecars:
            self._sidecars[source.input] = await self._sidecar(source.input, source.language)
        cues = _unless_refused(self._sidecars[source.input])
        return Track(source.language, source.label, shifted(cues, round(source.offset * 1000)))

    async def _sidecar(self, place: int, language: str) -> Cues | Uncaptioned:
        if place in self._lost:
            return Uncaptioned(self._lost[place])
        try:
            return await asyncio.to_thread(_read, self._space.input(place), MAX_SIDECAR, read)
        except NotUtf8:
            code, problem = FailureCode.CAPTIONS_NOT_UTF8, "are not in UTF-8: convert the file and upload it again"
        except Unreadable as error:
            code, problem = FailureCode.CAPTIONS_UNREADABLE, f"cannot be read: {error}"
        return Uncaptioned(_refusal(code, f"The captions in {language!r} {problem}."))

    async def _tracks_in(self, place: int, facts: MediaFacts) -> tuple[Track, ...]:
        if place not in self._embedded:
            try:
                self._embedded[place] = (*await self._text_in(place, facts), *await self._in_pictures(place, facts))
            except Unreadable as error:
                message = f"A track of captions in the input cannot be read: {error}. Remove it, or choose `override`."
                failure = _refusal(FailureCode.EMBEDDED_CAPTIONS_UNREADABLE, message)
                self._embedded[place] = Uncaptioned(failure)
        return _unless_refused(self._embedded[place])

    async def _text_in(self, place: int, facts: MediaFacts) -> list[Track]:
        if not facts.captions:
            return []

        def reader(files: Sequence[Path]) -> list[Track]:
            return [read_text(track, file.read_bytes()) for track, file in zip(facts.captions, files, strict=True)]

        tracks = await self._extracted(of_text(place, facts), reader)
        if tracks is None:
            raise Unreadable("it is damaged")
        return tracks

    async def _in_pictures(self, place: int, facts: MediaFacts) -> list[Track]:
        """Pictures whose units cannot be told apart have no captions either."""
        extraction = of_pictures(place, facts)
        if extraction is None or facts.video is None:
            return []
        codec, end = facts.video.codec, round((facts.duration or 0) * 1000)
        told = self._announced(place) if facts.format == TRANSPORT_STREAM else NOTHING_ANNOUNCED

        def reader(files: Sequence[Path]) -> list[Track]:
            units, times = files
            with units.open("rb") as of_units, times.open(encoding="ascii", errors="replace") as of_times:
                return read_pictures(codec, of_units, of_times, told, end=end)

        return await self._extracted(extraction, reader) or []

    def _announced(self, place: int) -> Announced:
        with self._space.input(place).open("rb") as file:
            return announced(file.read(HEAD_OF_STREAM))

    async def _extracted(
        self, extraction: Extraction, reader: Callable[[Sequence[Path]], list[Track]]
    ) -> list[Track] | None:
        """What is read from the files that ffmpeg made, which are gone afterwards; None when it could not."""
        ended = await self._extract(extraction.argv)
        files = [self._space.out / name for name in extraction.files]
        try:
            if not ended.is_success or not all(file.is_file() for file in files):
                return None
            for file in files:
                _refuse_large(file, MAX_EMBEDDED)
            return await asyncio.to_thread(reader, files)
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    async def _write_tracks(self, index: int, tracks: Sequence[Track]) -> None:
        for name, text in texts(index, tracks).items():
            (self._space.fed / name).write_text(text, encoding="utf-8")
        ended = await self._extract(writing(tracks_file(index), index, len(tracks)))
        made = self._space.out / tracks_file(index)
        if not ended.is_success or not made.is_file():
            message = "The captions could not be made a track of the output."
            raise Uncaptioned(Failure(cause=Cause.UNKNOWN, code=FailureCode.INTERNAL, message=message))
        made.rename(self._space.fed / tracks_file(index))


def _read(file: Path, most: int, reader: Callable[[bytes], Cues]) -> Cues:
    _refuse_large(file, most)
    return reader(file.read_bytes())


def _refuse_large(file: Path, most: int) -> None:
    if file.stat().st_size > most:
        raise Unreadable(f"it is larger than {most >> 20} MiB")


def _unless_refused(found: T | Uncaptioned) -> T:
    if isinstance(found, Uncaptioned):
        raise found
    return found


def _refusal(code: FailureCode, message: str) -> Failure:
    return Failure(cause=Cause.INPUT, code=code, message=message[:255])
