"""Captions as objects beside an output: one file for each language, or WebVTT in the segments of HTTP Live
Streaming, or TTML in fragments as Smooth Streaming has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Final

from agent.media.captions import scc, srt, ttml, webvtt
from agent.media.captions.cues import Track
from agent.media.fragments.rewriting import SMOOTH_CLOCK
from agent.media.fragments.texts import Document, text_track
from shared.jobspec import Container
from shared.jobspec.captions import LANGUAGE, CaptionFormat, extension
from shared.languages import shortest, three_letters
from shared.protocol import CaptionFormatSpec, OutputCaptionsSpec

FRAGMENTED: Final = "ismt"
"""Extension of timed text that is cut into fragments."""
WRITERS: Final[Mapping[CaptionFormat, Callable[[Track], str]]] = {
    CaptionFormat.DFXP: lambda track: ttml.written(track.cues, shortest(track.language)),
    CaptionFormat.SCC: lambda track: scc.written(track.cues),
    CaptionFormat.SRT: lambda track: srt.written(track.cues),
    CaptionFormat.WEBVTT: lambda track: webvtt.written(track.cues),
}


@dataclass(frozen=True)
class Timeline:
    """The segments of an output, or the fragments of its file."""

    durations: tuple[float, ...]
    first_pts: int | None = None
    """Of segments, which have files of their own."""


@dataclass(frozen=True)
class Sidecar:
    name: str
    """In out/."""
    key: str
    content: bytes
    seconds: float | None = None
    """Of a segment."""


@dataclass(frozen=True)
class Rendition:
    """The captions of one language in one format, as playlists name them."""

    format: CaptionFormat
    language: str
    label: str
    stem: str
    """Of its keys: its own playlist is this with `.m3u8`."""
    files: tuple[Sidecar, ...]
    is_segmented: bool
    name: str
    """Of its local files, without what tells one from the other."""

    @property
    def size(self) -> int:
        return sum(len(file.content) for file in self.files)


def renditions(
    index: int, wanted: OutputCaptionsSpec, tracks: Sequence[Track], container: Container, timeline: Timeline | None
) -> Iterator[Rendition]:
    """Every sidecar that an output asks for, cut as it is: WebVTT into files, and what Smooth Streaming wants into fragments."""
    for form in wanted.formats:
        if form.pattern is not None:
            for number, track in enumerate(tracks):
                made = _Made(f"c{index}_{number}", extension(form.format, container))
                yield _rendition(made, form, form.pattern, track, timeline)


@dataclass(frozen=True)
class _Made:
    """What local files are called."""

    name: str
    extension: str


def _rendition(
    made: _Made, form: CaptionFormatSpec, pattern: str, track: Track, timeline: Timeline | None
) -> Rendition:
    stem = pattern.replace(LANGUAGE, track.language)
    contents: Iterable[bytes]
    seconds: Sequence[float | None] = (None,)
    is_segmented = False
    if timeline is not None and timeline.first_pts is not None and form.format is CaptionFormat.WEBVTT:
        texts = webvtt.segments(track.cues, timeline.durations, first_pts=timeline.first_pts)
        contents, seconds, is_segmented = map(str.encode, texts), timeline.durations, True
    elif timeline is not None and made.extension == FRAGMENTED:
        contents = (text_track(list(_documents(track, timeline.durations)), three_letters(track.language)),)
    else:
        contents = (WRITERS[form.format](track).encode(),)
    files = tuple(
        Sidecar(f"{made.name}_{count:05d}.{made.extension}", f"{stem}{count:05d}.{made.extension}", content, lasting)
        for count, (content, lasting) in enumerate(zip(contents, seconds, strict=True))
    )
    return Rendition(form.format, track.language, track.label or track.language, stem, files, is_segmented, made.name)


def _documents(track: Track, durations: Sequence[float]) -> Iterator[Document]:
    """One for each fragment. A caption that is longer than its fragment goes on in the next."""
    ends = list(accumulate(durations))
    for begin, end in pairwise([0.0, *ends]):
        first, last = round(begin * 1000), round(end * 1000)
        cues = [
            replace(cue, start=max(cue.start, first), end=min(cue.end, last))
            for cue in track.cues
            if cue.start < last and cue.end > first
        ]
        text = ttml.written(cues, shortest(track.language)).encode()
        time = round(begin * SMOOTH_CLOCK)
        yield Document(time, round(end * SMOOTH_CLOCK) - time, text)
