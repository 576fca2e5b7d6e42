"""Streams with several takers."""

from __future__ import annotations

import ffmpeg

from agent.media.argv import Stream


def split(stream: Stream, count: int, *, kind: str = "split") -> list[Stream]:
    """ffmpeg-python wants every fork drawn."""
    if count == 1:
        return [stream]
    forked = ffmpeg.filter_multi_output([stream], kind, count)
    return [forked[index] for index in range(count)]
