"""How long a file is whose container does not say it: counted, by reading all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agent.media import argv
from agent.media.facts import MediaFacts

BARE: Final = frozenset({"h264", "hevc", "m4v", "mpegvideo"})
"""Pictures without time stamps: as many seconds as there are pictures."""


def needs_counting(facts: MediaFacts, *, is_cut: bool) -> bool:
    """A length that was guessed will do until something is cut off it, or put behind it."""
    return facts.duration is None or (is_cut and not facts.duration_is_exact)


def counting_argv(name: str, facts: MediaFacts, *, demuxer: str | None) -> list[str]:
    """Reads every packet and decodes none."""
    file = argv.source(name, **({"f": demuxer} if demuxer else {}))
    streams = [file[str(stream.index)] for stream in (facts.video, facts.audio) if stream is not None]
    return argv.ffmpeg_argv([argv.nowhere(streams, {"c": "copy"})], threads=1)


def counted(facts: MediaFacts, output: bytes) -> MediaFacts:
    """By ffmpeg's progress. What its streams are said to last is no better than the guess was."""
    seconds, frames = _last(output, b"out_time_us") / 1e6, _last(output, b"frame")
    if facts.video is not None and BARE.intersection(facts.format.split(",")):
        seconds = float(frames / facts.video.frame_rate)
    if seconds <= 0:
        return facts
    return replace(
        facts,
        duration=round(seconds, 3),
        duration_is_exact=True,
        video=facts.video and replace(facts.video, duration=None, frames=frames),
        audio=facts.audio and replace(facts.audio, duration=None),
    )


def _last(output: bytes, key: bytes) -> int:
    for line in reversed(output.split(b"\n")):
        name, _, value = line.partition(b"=")
        if name == key and value.strip().isdigit():
            return int(value)
    return 0
