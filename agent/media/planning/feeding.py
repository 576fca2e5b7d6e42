"""More inputs than one process can hold open are joined by others, one after the other, which feed it through pipes.

A decoder keeps its pictures from the moment its input is opened, which is the beginning for all of them, to the end of the process.
What comes through the pipes is neither encoded nor written to disk: pictures and sound of one size and rate, as they were joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from agent.media import argv
from agent.media.facts import AudioFacts, MediaFacts, VideoFacts
from agent.media.filters import MATRIX_TAGS, high_dynamic_range, matrix_of
from agent.media.planning.evening import evened
from agent.media.planning.opening import opened
from agent.media.planning.planned import Feeders
from agent.media.planning.programme import Part, Programme

TOGETHER: Final = 64
"""Parts in one process: a graph of more would be too long for a command line."""
HELD: Final = 1 << 30
"""Bytes that decoders of one process may hold."""
OF_A_DECODER: Final = 2 << 20
PICTURES_HELD: Final = 9
"""By a decoder of H.264, measured; codecs with shorter memories hold fewer."""


def fed(
    shown: Programme, *, threads: int, picture: bool, sound: bool, every_field: bool
) -> tuple[Feeders | None, Programme]:
    """Who feeds a process, and the programme that is left to it. `picture`, `sound`: what is wanted of it."""
    if shown.is_uneven:
        return evened(shown, threads=threads, picture=picture, sound=sound, every_field=every_field)
    groups = list(_groups(shown, picture=picture)) if shown.is_stitched else []
    if len(groups) < 2:
        return None, shown
    commands: list[list[str]] = []
    ends: list[Fraction] = []
    for number, group in enumerate(groups):
        at = ends[-1] if ends else Fraction(0)
        joined = replace(shown, parts=group)
        began = opened(joined, at=at, threads=threads, decoding={}, picture=picture, sound=sound)
        streams = [stream for stream in (began.picture, began.sound) if stream is not None]
        kinds = {"picture": began.picture is not None, "sound": began.sound is not None}
        sink = argv.pipe(streams, f"in/{Feeders.pipe(number)}", **kinds, threads=threads)
        commands.append(argv.ffmpeg_argv([sink], threads=threads))
        ends.append(at + sum(joined.frames()) / shown.rate)
    facts = _facts(shown, float(ends[-1]), picture=picture, sound=sound)
    whole = Part(0, facts, rate=shown.rate, fed=_tags(shown) if picture else {})
    return Feeders(tuple(commands), tuple(ends)), replace(shown, parts=(whole,))


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


def _facts(shown: Programme, seconds: float, *, picture: bool, sound: bool) -> MediaFacts:
    """Of what comes through the pipes."""
    video, bed = shown.whole.video if picture else None, shown.bed if sound else None
    return MediaFacts(
        format="nut",
        size=0,
        duration=seconds,
        duration_is_exact=True,
        video=video and replace(video, duration=seconds),
        audio=AudioFacts(1 if video else 0, "pcm", bed.channels, bed.sample_rate, seconds, 0.0) if bed else None,
    )


def _tags(shown: Programme) -> Mapping[str, str]:
    """What pictures say of their colours, which does not come through pipes: what the first of them says on the canvas."""
    first = next((part.facts.video for part in shown.parts if part.facts.video is not None), None)
    if first is None or shown.canvas is None:
        return {}
    on = shown.canvas
    if not on.is_hdr and (high_dynamic_range(first) or matrix_of(first).family != on.matrix.family):
        said: Mapping[str, str | None] = MATRIX_TAGS[on.matrix]
    elif first.is_rgb:
        said = {}
    else:
        said = {"colorspace": first.color_space, "color_primaries": first.primaries, "color_trc": first.transfer}
        said |= {"chroma_sample_location": first.chroma_location}
    return {"chroma_sample_location": "left"} | {name: value for name, value in said.items() if value is not None}
