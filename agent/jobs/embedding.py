"""Puts captions into the pictures of an output that is encoded already, in constant memory but for the captions."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from agent.jobs.draining import Draining
from agent.media import PlannedOutput
from agent.media.captions import Cues, closed
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec import Container

HEAD: Final = 64 * 1024
CHUNK: Final = 8192 * closed.PACKET

UNFIT: Final = Failure(
    cause=Cause.UNKNOWN, code=FailureCode.INTERNAL, message="The captions could not be put into the output's pictures."
)


def embed(out: Path, output: PlannedOutput, files: Sequence[str], cues: Cues) -> Failure | None:
    """`files`: the output's segments in their order, or its one file. What went wrong, or None."""
    assert output.picture is not None
    try:
        if output.spec.settings.container is Container.TS:
            _in_stream([out / name for name in files], cues, output.picture.rate)
        else:
            (name,) = files
            _in_movie(out / name, cues, output.picture.rate)
    except (ValueError, LookupError, struct.error):
        return UNFIT
    return None


def _in_stream(segments: Sequence[Path], cues: Cues, rate: Fraction) -> None:
    with segments[0].open("rb") as file:
        first = closed.first_picture(file.read(HEAD))
    last = max((cue.end for cue in cues), default=0)
    units = list(closed.units(cues, rate, int(last * rate / 1000) + 1 + int(rate)))
    nothing = closed.idle(rate)

    def unit_at(ticks: int) -> bytes:
        number = round((ticks - first) % (1 << 33) * rate / closed.CLOCK)
        return units[number] if number < len(units) else nothing

    inserter = closed.Inserter(unit_at)
    for segment in segments:
        _replace(segment, inserter.rewritten(_chunks(segment)))


def _in_movie(path: Path, cues: Cues, rate: Fraction) -> None:
    with path.open("r+b") as file:
        draining = Draining(file)
        movie = closed.movie(draining.read)
        pictures = movie.every_picture
        first = min(picture.time for picture in pictures)
        numbers = [round((picture.time - first) * rate / movie.timescale) for picture in pictures]
        units = list(closed.units(cues, rate, max(numbers) + 1))
        changed = closed.rewritten(movie, draining.read, draining.take, [units[number] for number in numbers])
        _replace(path, changed)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _replace(path: Path, content: Iterator[bytes]) -> None:
    becoming = path.with_name(f"{path.name}.becoming")
    try:
        with becoming.open("xb") as file:
            for portion in content:
                file.write(portion)
        becoming.replace(path)
    finally:
        becoming.unlink(missing_ok=True)
