"""Looks at decoded pictures, not through the code under test; and makes pictures to look at."""

from __future__ import annotations

import struct
import subprocess
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Colour = tuple[int, ...]


@dataclass(frozen=True)
class Image:
    """One decoded picture: rows of `channels` bytes for each pixel."""

    width: int
    height: int
    channels: int
    data: bytes

    def at(self, x: int, y: int) -> Colour:
        start = (y * self.width + x) * self.channels
        return tuple(self.data[start : start + self.channels])

    def mean(self, box: Box) -> tuple[float, ...]:
        pixels = [self.at(x, y) for y in range(box.top, box.bottom) for x in range(box.left, box.right)]
        return tuple(sum(pixel[channel] for pixel in pixels) / len(pixels) for channel in range(self.channels))

    def box(self, is_inside: Callable[[Colour], bool]) -> Box:
        """Around all pixels for which it holds."""
        found = [(x, y) for y in range(self.height) for x in range(self.width) if is_inside(self.at(x, y))]
        across, down = [x for x, _ in found], [y for _, y in found]
        return Box(min(across), min(down), max(across) + 1, max(down) + 1)


@dataclass(frozen=True)
class Box:
    """Right and bottom are the first that are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        return self.right - self.left, self.bottom - self.top

    def shrunk(self, by: int) -> Box:
        return Box(self.left + by, self.top + by, self.right - by, self.bottom - by)

    def is_near(self, other: Box, slack: int) -> bool:
        mine, others = (
            (self.left, self.top, self.right, self.bottom),
            (other.left, other.top, other.right, other.bottom),
        )
        return all(abs(one - two) <= slack for one, two in zip(mine, others, strict=True))


def images(file: Path, *, colours: str = "rgb24", count: int | None = 1, filters: str = "null") -> list[Image]:
    """The first pictures of a file as they are stored, in "rgb24" or "gray"; `filters` are ffmpeg's."""
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0", file],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    width, height = (int(number) for number in shown.stdout.strip().strip(",").split(",")[:2])
    channels = 3 if colours == "rgb24" else 1
    limit = [] if count is None else ["-frames:v", str(count)]
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", file, "-vf", f"{filters},format={colours}", *limit, "-fps_mode", "passthrough",
         "-f", "rawvideo", "-"],
        capture_output=True, check=True, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip
    size = width * height * channels
    return [Image(width, height, channels, decoded[at : at + size]) for at in range(0, len(decoded), size)]


def image(file: Path, *, colours: str = "rgb24", filters: str = "null") -> Image:
    return images(file, colours=colours, filters=filters)[0]


def png(file: Path, width: int, height: int, colour_at: Callable[[int, int], Colour]) -> Path:
    """Writes a picture with transparency: colours are (red, green, blue, opacity)."""
    rows = b"".join(b"\0" + bytes(_flat(colour_at(x, y) for x in range(width))) for y in range(height))
    return _written(file, struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0), rows)


def bare_png(file: Path, width: int, height: int) -> Path:
    """Of black and white, and with so few rows that it stays small: what its header promises is what matters."""
    rows = (b"\0" * (width // 8 + 2)) * min(height, 5000)
    return _written(file, struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0), rows)


def _written(file: Path, header: bytes, rows: bytes) -> Path:
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return file


def _flat(colours: Iterable[Colour]) -> Iterable[int]:
    return (part for colour in colours for part in colour)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
