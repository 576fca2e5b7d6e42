"""Sound on its way from the decoder to one encoder."""

from __future__ import annotations

from agent.media.argv import Stream
from agent.media.filters.forks import split
from shared.jobspec.audio import Loudness


def heard(stream: Stream, *, rate: int, layout: str | None, sample_format: str | None) -> Stream:
    """Sound that starts with the picture; gaps become silence."""
    stream = stream.filter("aresample", rate, **{"async": 1, "first_pts": 0})
    wanted = {"sample_rates": rate, "sample_fmts": sample_format, "channel_layouts": layout}
    return stream.filter("aformat", **{name: value for name, value in wanted.items() if value is not None})


def as_loud(stream: Stream, loudness: Loudness) -> Stream:
    """What follows brings the rate back: to find peaks between samples, the filter raises it."""
    return stream.filter("loudnorm", I=loudness.integrated, TP=loudness.true_peak)


def single_channels(stream: Stream, count: int, *, tracks: int) -> list[Stream]:
    """Every channel as a stream of its own, then silent ones up to `tracks`."""
    copies = split(stream, tracks, kind="asplit")
    channels = [copy.filter("channelmap", index, "mono") for index, copy in enumerate(copies[:count])]
    silence = [copy.filter("channelmap", 0, "mono").filter("volume", 0) for copy in copies[count:]]
    return channels + silence
