"""Codec strings of manifests (RFC 6381), from what the bytes say rather than from what was asked for."""

from __future__ import annotations

import re
from typing import Final

_SPS: Final = re.compile(rb"\x00\x00\x01[\x27\x47\x67](...)", re.DOTALL)
_AUDIO: Final = {"aac": "mp4a.40.2", "mp3": "mp4a.40.34"}


def from_transport_stream(head: bytes) -> str | None:
    """Of H.264 whose first parameter set lies in `head`."""
    found = _SPS.search(head)
    return f"avc1.{found[1].hex().upper()}" if found else None


def from_movie_header(moov: bytes) -> str | None:
    """Of H.264, from its configuration record."""
    at = moov.find(b"avcC")
    return f"avc1.{moov[at + 5 : at + 8].hex().upper()}" if at >= 0 else None


def of_audio(codec: str) -> str | None:
    return _AUDIO.get(codec)
