"""HTTP Live Streaming playlists of version 3 (RFC 8216): our own, with the names under which things are published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent.media.sizing import Size

VERSION = 3


@dataclass(frozen=True)
class Entry:
    uri: str
    seconds: float
    size: int


@dataclass(frozen=True)
class Variant:
    uri: str
    entries: tuple[Entry, ...]
    size: Size | None
    frame_rate: Fraction | None
    codecs: tuple[str, ...]
    """Empty when one of them has no string."""


def media_playlist(entries: Sequence[Entry]) -> bytes:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{_target(entries)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]
    for entry in entries:
        lines += [f"#EXTINF:{entry.seconds:.6f},", entry.uri]
    return _text([*lines, "#EXT-X-ENDLIST"])


def master_playlist(variants: Sequence[Variant]) -> bytes:
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}"]
    for variant in variants:
        lines += [f"#EXT-X-STREAM-INF:{','.join(_attributes(variant))}", variant.uri]
    return _text(lines)


def entries(playlist: bytes) -> tuple[list[tuple[str, float]], bool]:
    """Of ffmpeg's own playlist: what it names, with seconds, and whether it was ended."""
    named: list[tuple[str, float]] = []
    seconds = 0.0
    lines = playlist.decode("utf-8", "replace").splitlines()
    for line in lines:
        if line.startswith("#EXTINF:"):
            seconds = float(line.removeprefix("#EXTINF:").partition(",")[0])
        elif line and not line.startswith("#"):
            named.append((line, seconds))
    return named, "#EXT-X-ENDLIST" in lines


def _attributes(variant: Variant) -> list[str]:
    seconds = sum(entry.seconds for entry in variant.entries)
    average = sum(entry.size for entry in variant.entries) * 8 / seconds
    attributes = [f"BANDWIDTH={math.ceil(peak_rate(variant.entries))}", f"AVERAGE-BANDWIDTH={math.ceil(average)}"]
    if variant.size is not None:
        attributes.append(f"RESOLUTION={variant.size}")
    if variant.frame_rate is not None:
        attributes.append(f"FRAME-RATE={float(variant.frame_rate):.3f}")
    if variant.codecs:
        attributes.append(f'CODECS="{",".join(variant.codecs)}"')
    return attributes


def peak_rate(entries: Sequence[Entry]) -> float:
    """Bits per second of the costliest run of segments that lasts 0.5 to 1.5 target durations, as the standard measures it."""
    target = _target(entries)
    peak = 0.0
    for start in range(len(entries)):
        seconds, size = 0.0, 0
        for entry in entries[start:]:
            seconds, size = seconds + entry.seconds, size + entry.size
            if seconds > 1.5 * target:
                break
            if seconds >= 0.5 * target:
                peak = max(peak, size * 8 / seconds)
    return peak or sum(entry.size for entry in entries) * 8 / sum(entry.seconds for entry in entries)


def _target(entries: Sequence[Entry]) -> int:
    """No segment, rounded to whole seconds, is longer."""
    return max(1, *(math.floor(entry.seconds + 0.5) for entry in entries))


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
