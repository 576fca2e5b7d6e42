"""What a job's inputs are together: stretches that are shown one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from controlplane.domain.sources import Source, of_input
from shared.jobspec import Clip, JobDocument
from shared.protocol import DetectedProperties, PartSpec, Span


def parts(document: JobDocument, places: Mapping[Source, int]) -> tuple[PartSpec, ...]:
    """Of every input the stretch that is used, and how its sender says that it is to be read."""
    return tuple(
        PartSpec(
            source=places[of_input(wanted)],
            clip=span(wanted.clip),
            frame_rate=wanted.frame_rate,
            resolution=wanted.resolution,
            aspect_ratio=wanted.aspect_ratio,
            interlaced=wanted.interlaced,
            container=wanted.container,
        )
        for wanted in document.inputs
    )


def span(clip: Clip | None) -> Span | None:
    return None if clip is None else Span(start=clip.begins, duration=clip.lasts)


def same_stretch(one: Clip | None, other: Clip | None) -> bool:
    """Whether two clips show the same, however they are written."""
    return _or_all(one) == _or_all(other)


def lengths(document: JobDocument, found: Sequence[DetectedProperties]) -> list[float | None]:
    """How many seconds each output will last; None, where an input does not tell how long it is."""
    whole = _length(document, found)
    return [None if whole is None else _within(output.clip, whole) for output in document.outputs]


def _length(document: JobDocument, found: Sequence[DetectedProperties]) -> float | None:
    if len(found) != len(document.inputs):
        return None
    total = 0.0
    for wanted, of_file in zip(document.inputs, found, strict=True):
        if of_file.duration is None:
            return None
        total += _within(wanted.clip, of_file.duration)
    return total


def _within(clip: Clip | None, whole: float) -> float:
    if clip is None:
        return whole
    left = max(0.0, whole - clip.begins)
    return left if clip.lasts is None else min(left, clip.lasts)


_ALL: Final = Span()


def _or_all(clip: Clip | None) -> Span:
    return span(clip) or _ALL
