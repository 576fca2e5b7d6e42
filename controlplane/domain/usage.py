"""What a job came to, as it counts for its tenant and for the day on which it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.protocol import DetectedProperties, Failed, Finished, OutputResult, PlaylistResult
from shared.statuses import JobStatus


@dataclass(frozen=True)
class Made:
    """Only what became visible counts as made; what was read and encoded on the way counts whatever came of it."""

    status: JobStatus
    outputs: int = 0
    output_ms: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    encoder_ms: int = 0


CANCELED: Final = Made(JobStatus.CANCELED)
FAILED: Final = Made(JobStatus.ERROR)


def made_by(finished: Finished, status: JobStatus) -> Made:
    """Of results that are visible. An output whose length nobody could tell counts as its input."""
    whole = sum(found.duration or 0.0 for found in finished.inputs)
    good = [output for output in finished.outputs if output.status is JobStatus.COMPLETE]
    seconds = sum(whole if output.duration is None else output.duration for output in good)
    return Made(
        status=status,
        outputs=len(good),
        output_ms=round(seconds * 1000),
        bytes_in=sum(found.size for found in finished.inputs),
        bytes_out=size_of(finished),
        encoder_ms=round(finished.encode_seconds * 1000),
    )


def spent_on(outcome: Finished | Failed) -> Made:
    """Of work from which nothing became visible."""
    return Made(
        status=JobStatus.ERROR,
        bytes_in=sum(found.size for found in outcome.inputs),
        encoder_ms=round(outcome.encode_seconds * 1000),
    )


def read_in_vain(inputs: Iterable[DetectedProperties]) -> Made:
    """Of work that was refused once its inputs were known."""
    return Made(status=JobStatus.ERROR, bytes_in=sum(found.size for found in inputs))


def size_of(finished: Finished) -> int:
    """Bytes of every object of a report."""
    results: tuple[OutputResult | PlaylistResult, ...] = (*finished.outputs, *finished.playlists)
    return sum(produced.size for result in results for produced in result.objects)


def day_of(now_ms: int) -> str:
    """In UTC; days sort."""
    return dt.datetime.fromtimestamp(now_ms / 1000, tz=dt.UTC).strftime("%Y-%m-%d")
