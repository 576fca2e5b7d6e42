"""More inputs than one process can hold open are joined in groups first: into files that lose nothing, of one size and rate.

A decoder keeps its pictures from the moment its input is opened, which is the beginning for all of them, to the end of the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from agent.media import argv
from agent.media.facts import AudioFacts, MediaFacts, VideoFacts
from agent.media.planning.opening import opened
from agent.media.planning.planned import OUT
from agent.media.planning.programme import Part, Programme

TOGETHER: Final = 64
"""Parts in one process: a graph of more would be too long for a command line."""
HELD: Final = 1 << 30
"""Bytes that decoders of one process may hold."""
OF_A_DECODER: Final = 2 << 20
PICTURES_HELD: Final = 9
"""By a decoder of H.264, measured; codecs with shorter memories hold fewer."""

LOSSLESS: Final[dict[str, Any]] = {"f": "mov", "map_metadata": -1, "map_chapters": -1}
PICTURE: Final[dict[str, Any]] = {"c:v": "libx264", "preset": "ultrafast", "qp": 0}
SOUND: Final[dict[str, Any]] = {"c:a": "pcm_f32le"}


@dataclass(frozen=True)
class Staged:
    """What is to be run first, what it makes, and the programme of what was made."""

    steps: tuple[list[str], ...]
    files: tuple[str, ...]
    """In the folder of outputs, until they were read."""
    programme: Programme


def staged(shown: Programme, *, threads: int, picture: bool, sound: bool) -> Staged:
    """`picture`, `sound`: what is wanted of it."""
    groups = list(_groups(shown, picture=picture)) if shown.is_stitched else []
    if len(groups) < 2:
        return Staged((), (), shown)
    steps: list[list[str]] = []
    parts: list[Part] = []
    for number, group in enumerate(groups):
        name = f"joined{number}.mov"
        joined = replace(shown, parts=group)
        began = opened(joined, threads=threads, decoding={}, picture=picture, sound=sound)
        streams = [stream for stream in (began.picture, began.sound) if stream is not None]
        options = LOSSLESS | (PICTURE if began.picture else {}) | (SOUND if began.sound else {}) | {"threads": threads}
        steps.append(argv.ffmpeg_argv([argv.sink(streams, f"{OUT}/{name}", options)], threads=threads))
        parts.append(Part(number, _facts(joined, picture=picture, sound=sound), path=f"{OUT}/{name}"))
    files = tuple(f"joined{number}.mov" for number in range(len(groups)))
    return Staged(tuple(steps), files, replace(shown, parts=tuple(parts)))


def _groups(shown: Programme, *, picture: bool) -> Iterator[tuple[Part, ...]]:
    group: list[Part] = []
    held = 0
    for part in shown.parts:
        more = _held_by(part.facts.video) if picture else OF_A_DECODER
        if group and (len(group) == TOGETHER or held + more > HELD):
            yield tuple(group)
            group, held = [], 0
        group.append(part)
        held += more
    yield tuple(group)


def _held_by(video: VideoFacts | None) -> int:
    if video is None:
        return OF_A_DECODER
    deep = 2 if any(depth in video.pix_fmt for depth in ("10", "12", "16")) else 1
    chroma = Fraction(3, 2) if "420" in video.pix_fmt else 3
    return OF_A_DECODER + round(PICTURES_HELD * video.width * video.height * chroma * deep)


def _facts(joined: Programme, *, picture: bool, sound: bool) -> MediaFacts:
    """Of the file that a group becomes."""
    seconds = float(sum(joined.frames()) / joined.rate)
    video, bed = joined.whole.video if picture else None, joined.bed if sound else None
    return MediaFacts(
        format="mov",
        size=0,
        duration=seconds,
        duration_is_exact=True,
        video=video and replace(video, codec="h264", duration=seconds),
        audio=AudioFacts(1 if video else 0, "pcm", bed.channels, bed.sample_rate, seconds, 0.0) if bed else None,
    )
