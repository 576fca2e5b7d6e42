"""Captions as tracks of an MP4 file: first a small file of them, whose tracks are then copied beside picture and sound.

Labels and languages reach ffmpeg in a file of metadata, never on its command line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from agent.media import argv
from agent.media.captions import srt
from agent.media.captions.cues import Track, flattened
from shared.languages import three_letters

GUARDS: Final[dict[str, Any]] = {"protocol_whitelist": "file", "format_whitelist": "srt,ffmetadata"}


def texts(output: int, tracks: Sequence[Track]) -> dict[str, str]:
    """What lies in in/ before the file of tracks can be made, by name."""
    made = {_text(output, number): srt.written(flattened(track.cues)) for number, track in enumerate(tracks)}
    return made | {_metadata(output): ";FFMETADATA1\n" + "".join(map(_stream, tracks))}


def writing(name: str, output: int, count: int) -> list[str]:
    """The command line that makes out/<name>."""
    streams = [argv.text(f"in/{_text(output, number)}", "srt", GUARDS)["0"] for number in range(count)]
    options: dict[str, Any] = {"map_metadata": -1, "c:s": "mov_text", "f": "mp4"}
    for number in range(count):
        options |= argv.tags_of(f"in/{_metadata(output)}", number, f"{number}")
    options |= {f"disposition:s:{number}": "default" if number == 0 else 0 for number in range(count)}
    sinks = [argv.sink(streams, f"out/{name}", options)]
    return argv.ffmpeg_argv(sinks, threads=1, unmapped=argv.unmapped(f"in/{_metadata(output)}", "ffmetadata", GUARDS))


def _text(output: int, number: int) -> str:
    return f"t{output}_{number}.srt"


def _metadata(output: int) -> str:
    return f"t{output}.meta"


def _stream(track: Track) -> str:
    label = track.label or track.language
    return (
        f"[STREAM]\nlanguage={three_letters(track.language)}\nhandler_name={_escaped(label)}\ntitle={_escaped(label)}\n"
    )


def _escaped(value: str) -> str:
    return re.sub(r"([=;#\\])", r"\\\1", value)
