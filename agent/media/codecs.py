"""Codec strings of manifests (RFC 6381), from what the bytes say rather than from what was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_SPS: Final = re.compile(rb"\x00\x00\x01[\x27\x47\x67](...)", re.DOTALL)
_SPS_OF_HEVC: Final = re.compile(rb"\x00\x00\x01\x42\x01.(.{18})", re.DOTALL)
"""Behind ids: what the configuration of a decoder begins with, and bytes among it that keep zeros apart."""
_PROFILE: Final = 12
_AUDIO: Final = {"aac": "mp4a.40.2", "mp3": "mp4a.40.34", "opus": "opus"}


def from_transport_stream(head: bytes, codec: str) -> str | None:
    """Of H.264 or HEVC whose first parameter set lies in `head`; of what has none, packets may look as if they were one."""
    if codec == "h264" and (found := _SPS.search(head)):
        return f"avc1.{found[1].hex().upper()}"
    if codec == "hevc" and (found := _SPS_OF_HEVC.search(head)):
        return _hevc(b"\1" + found[1].replace(b"\0\0\3", b"\0\0")[:_PROFILE], name="hev1")
    return None


def from_movie_header(moov: bytes) -> str | None:
    """Of the picture, from what its decoder is set up with."""
    for kind, described in _DESCRIBED.items():
        at = moov.find(kind)
        if at >= 0:
            return described(moov[at + 4 :])
    return None


def of_audio(codec: str) -> str | None:
    return _AUDIO.get(codec)


def _h264(record: bytes) -> str:
    return f"avc1.{record[1:4].hex().upper()}"


def _hevc(record: bytes, *, name: str = "hvc1") -> str:
    """Profile, what else can decode it (from its last bit on), tier and level, and constraints as far as there are any.

    Under another name, where parameter sets lie among the pictures.
    """
    space, tier, profile = record[1] >> 6, record[1] >> 5 & 1, record[1] & 0x1F
    compatible = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    constraints = [f"{byte:X}" for byte in record[6:12].rstrip(b"\0")]
    parts = [f"{' ABC'[space].strip()}{profile}", f"{compatible:X}", f"{'LH'[tier]}{record[12]}", *constraints]
    return ".".join([name, *parts])


def _av1(record: bytes) -> str:
    profile, level = record[1] >> 5, record[1] & 0x1F
    tier, high, twelve = record[2] >> 7, record[2] >> 6 & 1, record[2] >> 5 & 1
    depth = 8 if not high else 12 if twelve else 10
    return f"av01.{profile}.{level:02d}{'MH'[tier]}.{depth:02d}"


_DESCRIBED: Final[Mapping[bytes, Callable[[bytes], str]]] = {b"avcC": _h264, b"hvcC": _hevc, b"av1C": _av1}
"""By the boxes of decoders' configurations."""
