"""Captions as objects beside an output: one file for each language, or WebVTT in the segments of HTTP Live Streaming."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.media.captions import scc, srt, ttml, webvtt
from agent.media.captions.cues import Track
from shared.jobspec.captions import LANGUAGE, CaptionFormat
from shared.languages import shortest
from shared.protocol import CaptionFormatSpec, OutputCaptionsSpec

EXTENSIONS: Final[Mapping[CaptionFormat, str]] = {
    CaptionFormat.DFXP: "dfxp",
    CaptionFormat.SCC: "scc",
    CaptionFormat.SRT: "srt",
    CaptionFormat.WEBVTT: "vtt",
}
WRITERS: Final[Mapping[CaptionFormat, Callable[[Track], str]]] = {
    CaptionFormat.DFXP: lambda track: ttml.written(track.cues, shortest(track.language)),
    CaptionFormat.SCC: lambda track: scc.written(track.cues),
    CaptionFormat.SRT: lambda track: srt.written(track.cues),
    CaptionFormat.WEBVTT: lambda track: webvtt.written(track.cues),
}


@dataclass(frozen=True)
class Timeline:
    """The segments of an output."""

    durations: tuple[float, ...]
    first_pts: int


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
    index: int, wanted: OutputCaptionsSpec, tracks: Sequence[Track], timeline: Timeline | None
) -> Iterator[Rendition]:
    """Every sidecar that an output asks for. With a timeline, WebVTT is cut into its segments."""
    for form in wanted.formats:
        if form.pattern is not None:
            for number, track in enumerate(tracks):
                yield _rendition(f"c{index}_{number}", form, form.pattern, track, timeline)


def _rendition(name: str, form: CaptionFormatSpec, pattern: str, track: Track, timeline: Timeline | None) -> Rendition:
    extension = EXTENSIONS[form.format]
    stem = pattern.replace(LANGUAGE, track.language)
    is_segmented = timeline is not None and form.format is CaptionFormat.WEBVTT
    seconds: Sequence[float | None] = (None,)
    if timeline is not None and is_segmented:
        texts = webvtt.segments(track.cues, timeline.durations, first_pts=timeline.first_pts)
        seconds = timeline.durations
    else:
        texts = iter((WRITERS[form.format](track),))
    files = tuple(
        Sidecar(f"{name}_{count:05d}.{extension}", f"{stem}{count:05d}.{extension}", text.encode(), lasting)
        for count, (text, lasting) in enumerate(zip(texts, seconds, strict=True))
    )
    return Rendition(form.format, track.language, track.label or track.language, stem, files, is_segmented, name)
