"""Sound on its way from the decoder to one encoder."""

from __future__ import annotations

from typing import Final

from agent.media.argv import Stream
from agent.media.filters.forks import split
from shared.jobspec.audio import Loudness

PEAK_RATE: Final = 192_000
"""At which the measure of loudness finds peaks between samples: it takes no other."""
SHORTEST_MEASURED: Final = 0.4
"""Seconds of sound that EBU R 128 can tell the loudness of; of less, the filter would make something arbitrary."""


def heard(
    stream: Stream, *, rate: int, layout: str | None, sample_format: str | None, loudness: Loudness | None
) -> Stream:
    """Sound that starts with the picture; gaps become silence. It is measured as it will be heard, in the channels of the
    output and with its silence: whatever is changed afterwards makes it louder or quieter again.
    """
    evened = {"async": 1, "first_pts": 0}
    if loudness is not None:
        stream = _formatted(stream.filter("aresample", PEAK_RATE, **evened), channel_layouts=layout)
        stream = stream.filter("loudnorm", I=loudness.integrated, TP=loudness.true_peak)
        evened = {}
    stream = stream.filter("aresample", rate, **evened)
    return _formatted(stream, sample_rates=rate, sample_fmts=sample_format, channel_layouts=layout)


def _formatted(stream: Stream, **wanted: str | int | None) -> Stream:
    named = {name: value for name, value in wanted.items() if value is not None}
    return stream.filter("aformat", **named) if named else stream


def single_channels(stream: Stream, count: int, *, tracks: int) -> list[Stream]:
    """Every channel as a stream of its own, then silent ones up to `tracks`."""
    copies = split(stream, tracks, kind="asplit")
    channels = [copy.filter("channelmap", index, "mono") for index, copy in enumerate(copies[:count])]
    silence = [copy.filter("channelmap", 0, "mono").filter("volume", 0) for copy in copies[count:]]
    return channels + silence
