"""Which captions an output gets: those embedded in the inputs and those beside them, put together over all inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.media.captions.cues import Cues, Track, clipped, shifted, tidy
from shared.jobspec.captions import MergePolicy
from shared.languages import three_letters


@dataclass(frozen=True)
class Stretch:
    """What of an input is shown, and where in the whole; milliseconds."""

    start: int
    """In the whole."""
    begin: int
    """In the input."""
    length: int | None


def chosen(embedded: Iterable[Track], sidecars: Iterable[Track], policy: MergePolicy) -> tuple[Track, ...]:
    """Of every language one track, by the policy; of those that are embedded in one language, the first."""
    if policy is MergePolicy.OVERRIDE:
        embedded = ()
    preferred = (embedded, sidecars) if policy is MergePolicy.MERGE_RETAIN else (sidecars, embedded)
    by_language: dict[str, Track] = {}
    for track in (track for tracks in preferred for track in tracks if track.cues):
        by_language.setdefault(three_letters(track.language), track)
    return tuple(by_language.values())


def joined(parts: Sequence[tuple[Stretch, Sequence[Track]]]) -> tuple[Track, ...]:
    """Each language through all inputs. One that an input with captions lacks is left out."""
    captioned = [tracks for _, tracks in parts if tracks]
    if not captioned:
        return ()
    common = set.intersection(*({three_letters(track.language) for track in tracks} for tracks in captioned))
    return tuple(
        replace(track, cues=_through(parts, three_letters(track.language)))
        for track in captioned[0]
        if three_letters(track.language) in common
    )


def _through(parts: Sequence[tuple[Stretch, Sequence[Track]]], language: str) -> Cues:
    return tidy(
        cue
        for stretch, tracks in parts
        for track in tracks
        if three_letters(track.language) == language
        for cue in _placed(track.cues, stretch)
    )


def _placed(cues: Cues, stretch: Stretch) -> Cues:
    end = None if stretch.length is None else stretch.begin + stretch.length
    return shifted(clipped(cues, stretch.begin, end), stretch.start)
