"""Thumbnails laid out on sheets, with a map that tells players which part to show when they hover over a time."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from agent.media import argv
from agent.media.planning import OUT, PlannedOutput, PlannedThumbnails
from agent.media.sizing import Size
from shared.protocol import SpriteSpec

GUARDS: Final[dict[str, Any]] = {"protocol_whitelist": "file", "format_whitelist": "image2"}


@dataclass(frozen=True)
class Sheets:
    """Of one output. `names`: in out/, in the order of time; `keys`: where they are published."""

    names: tuple[str, ...]
    keys: tuple[str, ...]
    map_key: str
    map: bytes
    """WebVTT: which part of which sheet stands for which time."""
    sizes: tuple[int, ...] = ()
    """Of the files, once they are made."""

    @property
    def map_name(self) -> str:
        return self.names[0].partition("_")[0] + ".vtt"


def sheets_argv(output: PlannedOutput, planned: PlannedThumbnails, sprite: SpriteSpec) -> list[str]:
    """From the thumbnails, which are there already."""
    form = planned.spec.settings.format
    file = argv.text(f"{OUT}/{output.thumbnail_pattern}", "image2", {**GUARDS, "start_number": 1, "framerate": 1})
    sheet = file["v"].filter("tile", f"{sprite.columns}x{sprite.rows}")
    options: dict[str, Any] = {"f": "image2", "start_number": 1}
    options |= {"c:v": "png"} if form == "png" else {"c:v": "mjpeg", "q:v": 3, "pix_fmt": "yuvj420p"}
    return argv.ffmpeg_argv([argv.sink([sheet], f"{OUT}/s{output.index}_%05d.{form}", options)], threads=1)


def sheets(
    output: PlannedOutput, planned: PlannedThumbnails, sprite: SpriteSpec, *, count: int, seconds: float
) -> Sheets:
    """What was made of `count` thumbnails of an output that lasts so long."""
    per_sheet = sprite.columns * sprite.rows
    numbers = range(1, -(-count // per_sheet) + 1)
    form = planned.spec.settings.format
    keys = tuple(f"{sprite.key}-{number:05d}.{form}" for number in numbers)
    return Sheets(
        names=tuple(f"s{output.index}_{number:05d}.{form}" for number in numbers),
        keys=keys,
        map_key=f"{sprite.key}.vtt",
        map=_map(
            [quote(posixpath.basename(key)) for key in keys],
            sprite,
            planned.sizing.frame,
            count=count,
            interval=planned.spec.settings.interval,
            seconds=seconds,
        ),
    )


def _map(uris: list[str], sprite: SpriteSpec, size: Size, *, count: int, interval: int, seconds: float) -> bytes:
    lines = ["WEBVTT", ""]
    for number in range(count):
        sheet, place = divmod(number, sprite.columns * sprite.rows)
        row, column = divmod(place, sprite.columns)
        start = number * interval
        end = max(min(start + interval, seconds), start + 0.001) if number < count - 1 else max(seconds, start + 0.001)
        x, y = column * size.width, row * size.height
        part = f"xywh={x},{y},{size.width},{size.height}"
        lines += [f"{_clock(start)} --> {_clock(end)}", f"{uris[sheet]}#{part}", ""]
    return "\n".join(lines).encode()


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
