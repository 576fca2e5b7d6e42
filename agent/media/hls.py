"""HTTP Live Streaming playlists (RFC 8216): our own, with the names under which things are published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from agent.media.boxes import ByteRange
from agent.media.sizing import Size

SEGMENTS: Final = 3
RANGES: Final = 4
"""The version from which a segment may be a range of bytes, and I-frame playlists exist."""
HEADERS: Final = 5
"""The version from which I-frame playlists name what stands before all of their segments."""
FRAGMENTS: Final = 7
NO_CAPTIONS_WITHIN: Final = "CLOSED-CAPTIONS=NONE"
"""Of every variant, or of none: where nothing is said, some players offer captions that there might be."""


@dataclass(frozen=True)
class Entry:
    uri: str
    seconds: float
    size: int
    offset: int | None = None
    """Where it begins in a file that holds more than it."""


@dataclass(frozen=True)
class Header:
    """What a player reads before any segment."""

    uri: str
    range: ByteRange


@dataclass(frozen=True)
class ContentKey:
    """How segments are decrypted with AES-128; never the key itself."""

    uri: str
    iv: bytes


@dataclass(frozen=True)
class Rendition:
    """What a player takes beside a variant: sound or subtitles in a playlist of their own."""

    kind: str
    """AUDIO, SUBTITLES or CLOSED-CAPTIONS."""
    group: str
    name: str
    uri: str | None
    """None of what lies within the variants."""
    language: str | None = None
    channels: int | None = None
    is_default: bool = False
    channel: str | None = None
    """Of closed captions, where they lie in the variants."""


@dataclass(frozen=True)
class Variant:
    uri: str
    entries: tuple[Entry, ...]
    size: Size | None
    frame_rate: Fraction | None
    codecs: tuple[str, ...]
    """Empty when one of them has no string."""
    groups: tuple[tuple[str, str], ...] = ()
    """Of the renditions that go with it: kind and group."""
    beside: tuple[tuple[Entry, ...], ...] = field(default=(), compare=False)
    """Of the costliest rendition of each group: a player fetches them too."""


@dataclass(frozen=True)
class Stills:
    """An I-frame playlist of a variant."""

    uri: str
    entries: tuple[Entry, ...]
    size: Size | None
    codecs: tuple[str, ...]


def media_playlist(
    entries: Sequence[Entry],
    *,
    version: int = SEGMENTS,
    header: Header | None = None,
    key: ContentKey | None = None,
    stills: bool = False,
) -> bytes:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{version}",
        f"#EXT-X-TARGETDURATION:{_target(entries)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]
    if stills:
        lines.append("#EXT-X-I-FRAMES-ONLY")
    if key is not None:
        lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="{key.uri}",IV=0x{key.iv.hex()}')
    if header is not None:
        lines.append(f'#EXT-X-MAP:URI="{header.uri}",BYTERANGE="{header.range.length}@{header.range.first}"')
    for entry in entries:
        lines.append(f"#EXTINF:{entry.seconds:.6f},")
        if entry.offset is not None:
            lines.append(f"#EXT-X-BYTERANGE:{entry.size}@{entry.offset}")
        lines.append(entry.uri)
    return _text([*lines, "#EXT-X-ENDLIST"])


def master_playlist(
    variants: Sequence[Variant],
    *,
    version: int = SEGMENTS,
    renditions: Sequence[Rendition] = (),
    stills: Sequence[Stills] = (),
) -> bytes:
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{version}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [f"#EXT-X-MEDIA:{','.join(_of_rendition(rendition))}" for rendition in renditions]
    for variant in variants:
        lines += [f"#EXT-X-STREAM-INF:{','.join(_of_variant(variant))}", variant.uri]
    lines += [f"#EXT-X-I-FRAME-STREAM-INF:{','.join(_of_stills(still))}" for still in stills]
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


def _of_rendition(rendition: Rendition) -> list[str]:
    attributes = [
        f"TYPE={rendition.kind}",
        f'GROUP-ID="{rendition.group}"',
        f'NAME="{rendition.name.translate(_UNQUOTED)}"',
        f"DEFAULT={'YES' if rendition.is_default else 'NO'}",
        "AUTOSELECT=YES",
    ]
    if rendition.language is not None:
        attributes.append(f'LANGUAGE="{rendition.language}"')
    if rendition.channels is not None:
        attributes.append(f'CHANNELS="{rendition.channels}"')
    if rendition.channel is not None:
        attributes.append(f'INSTREAM-ID="{rendition.channel}"')
    return attributes if rendition.uri is None else [*attributes, f'URI="{rendition.uri}"']


_UNQUOTED: Final = str.maketrans({'"': "'", "\n": " ", "\r": " "})


def _of_variant(variant: Variant) -> list[str]:
    rows = (variant.entries, *variant.beside)
    attributes = [f"BANDWIDTH={math.ceil(sum(map(peak_rate, rows)))}"]
    attributes.append(f"AVERAGE-BANDWIDTH={math.ceil(sum(map(_average_rate, rows)))}")
    attributes += _of_picture(variant.size, variant.codecs)
    if variant.frame_rate is not None:
        attributes.append(f"FRAME-RATE={float(variant.frame_rate):.3f}")
    attributes += [f'{kind}="{group}"' for kind, group in variant.groups]
    return attributes if "CLOSED-CAPTIONS" in dict(variant.groups) else [*attributes, NO_CAPTIONS_WITHIN]


def _of_stills(still: Stills) -> list[str]:
    attributes = [f"BANDWIDTH={math.ceil(peak_rate(still.entries))}"]
    attributes.append(f"AVERAGE-BANDWIDTH={math.ceil(_average_rate(still.entries))}")
    return [*attributes, *_of_picture(still.size, still.codecs), f'URI="{still.uri}"']


def _of_picture(size: Size | None, codecs: tuple[str, ...]) -> list[str]:
    attributes = [] if size is None else [f"RESOLUTION={size}"]
    return attributes + ([f'CODECS="{",".join(codecs)}"'] if codecs else [])


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
    return peak or _average_rate(entries)


def _average_rate(entries: Sequence[Entry]) -> float:
    return sum(entry.size for entry in entries) * 8 / sum(entry.seconds for entry in entries)


def _target(entries: Sequence[Entry]) -> int:
    """No segment, rounded to whole seconds, is longer."""
    return max(1, *(math.floor(entry.seconds + 0.5) for entry in entries))


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
