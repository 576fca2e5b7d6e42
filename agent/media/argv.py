"""From a graph to a command line: the one place that knows how ffmpeg wants to be called, and how it is kept in bounds.

ffmpeg-python draws the graph; the options it cannot place (those of the whole process) are put in front here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import ffmpeg

MAX_PIXELS: Final = 7680 * 4320
MAX_STREAMS: Final = 64
FORMATS: Final = (
    "aac", "ac3", "aiff", "amr", "asf", "avi", "caf", "dv", "eac3", "flac", "flv", "gif", "h264", "hevc", "ivf", "m4v",
    "matroska", "mov", "mp3", "mp4", "mpeg", "mpegts", "mpegvideo", "mxf", "ogg", "w64", "wav", "webm",
)  # fmt: skip
"""Demuxers that open nothing but the file they are given. Never here: hls, dash, concat, nut, image2, sdp, rtsp, lavfi, tty."""

STILL_FORMATS: Final = ("png_pipe", "jpeg_pipe")

INPUT_GUARDS: Final[dict[str, Any]] = {
    "protocol_whitelist": "file,pipe",
    "format_whitelist": ",".join(FORMATS),
    "max_streams": MAX_STREAMS,
    "max_pixels": MAX_PIXELS,
    "probesize": "50M",
    "analyzeduration": "30M",
}
"""In front of every `-i` of a file that a tenant sent, ffprobe's as well."""

PICTURE_GUARDS: Final[dict[str, Any]] = {
    "protocol_whitelist": "file,pipe",
    "format_whitelist": ",".join(STILL_FORMATS),
    "max_streams": 1,
    "max_pixels": MAX_PIXELS,
}
"""In front of every `-i` of a still picture that a tenant sent; which of the two it is says `-f`."""

PIPE_GUARDS: Final[dict[str, Any]] = {
    "protocol_whitelist": "file",
    "format_whitelist": "concat,nut",
    "fpsprobesize": 0,
}
"""In front of the list of pipes through which one ffmpeg feeds another. Nothing is read ahead of need."""

_WHOLE_PROCESS: Final = ("-hide_banner", "-v", "error", "-nostats", "-progress", "pipe:1", "-stats_period", "0.5", "-y")

Stream = Any
"""A node's outlet in ffmpeg-python, which has no types."""


def source(name: str, **options: Any) -> Stream:
    """The input file `name` of the workspace, guarded."""
    return ffmpeg.input(f"file:{name}", **INPUT_GUARDS, **options)


def piped(name: str, **options: Any) -> Stream:
    """What comes through several pipes, one after the other: those in the list `name` of the workspace, which is ours."""
    return ffmpeg.input(f"file:{name}", f="concat", **PIPE_GUARDS, **options)


def pipe(streams: Sequence[Stream], name: str, *, picture: bool, sound: bool, threads: int) -> Stream:
    """The other end of one of them: what is neither encoded nor kept."""
    options: dict[str, Any] = {"f": "nut", "write_index": 0, "threads": threads}
    options |= {"c:v": "rawvideo", "fps_mode": "passthrough"} if picture else {}
    options |= {"c:a": "pcm_f32le"} if sound else {}
    return sink(streams, name, options)


def still(name: str, demuxer: str) -> Stream:
    """The one picture in the file `name` of the workspace, guarded."""
    return ffmpeg.input(f"file:{name}", f=demuxer, **PICTURE_GUARDS)


def text(name: str, form: str, guards: dict[str, Any]) -> Stream:
    """A file of the workspace that the agent wrote itself, in a format that has to be named."""
    return ffmpeg.input(f"file:{name}", f=form, **guards)


def unmapped(name: str, form: str, guards: dict[str, Any]) -> tuple[str, ...]:
    """The same of a file from which no stream is taken."""
    options = {"f": form} | guards
    return (*(word for option, value in options.items() for word in (f"-{option}", str(value))), "-i", f"file:{name}")


def generated(graph: str, *, seconds: float) -> Stream:
    """A stretch of what a filter makes of nothing; `graph` is ours."""
    return ffmpeg.input(graph, f="lavfi", t=f"{seconds:.6f}")


def nowhere(streams: Sequence[Stream], options: dict[str, Any]) -> Stream:
    """What is only looked at is written nowhere."""
    return ffmpeg.output(*streams, "-", f="null", **options)


def sink(streams: Sequence[Stream], name: str, options: dict[str, Any]) -> Stream:
    """An output file; `name` may be a pattern of the muxer's."""
    return ffmpeg.output(*streams, f"file:{name}", **options)


CARD: Final = "card"
"""Decoder and filters must have the same context of it: pictures of one cannot be read in another."""


def ffmpeg_argv(
    sinks: Sequence[Stream], *, threads: int, unmapped: Sequence[str] = (), gpu: int | None = None
) -> list[str]:
    """`unmapped` become the last of the inputs. With `gpu`, filters upload to that card, which is called CARD."""
    arguments: list[str] = ffmpeg.get_args(ffmpeg.merge_outputs(*sinks))
    end = len(arguments) - arguments[::-1].index("-i") + 1 if unmapped else 0
    arguments[end:end] = unmapped
    card = [] if gpu is None else ["-init_hw_device", f"cuda={CARD}:{gpu}", "-filter_hw_device", CARD]
    return ["ffmpeg", *_WHOLE_PROCESS, *card, "-filter_complex_threads", str(threads), *_with_numbers(arguments)]


def tags_of(name: str, number: int, stream: str) -> dict[str, str]:
    """An option: the text track with this number is described as that stream of an input is."""
    return {f"map_metadata:s:s:{number}": f"file:{name}:s:{stream}"}


def _with_numbers(arguments: Sequence[str]) -> list[str]:
    """Where tags are taken from is said by the number of the input, which only the whole command line knows."""
    files = [after for word, after in pairwise(arguments) if word == "-i"]
    numbered = list(arguments)
    for at, (word, after) in enumerate(pairwise(arguments), start=1):
        if word.startswith("-map_metadata:s:s:"):
            name, kind = after.split(":s", 1)
            numbered[at] = f"{files.index(name)}:s{kind}"
    return numbered


def ffprobe_argv(file: str, *options: str, guards: dict[str, Any]) -> list[str]:
    guarded = [word for name, value in guards.items() for word in (f"-{name}", str(value))]
    return ["ffprobe", "-hide_banner", "-v", "error", *guarded, "-of", "json", *options, file]
