"""Where a SEI unit goes within an H.264 picture: before the first slice, behind what else stands in front of it."""

from __future__ import annotations

import re
import struct
from typing import Final

SLICES: Final = range(1, 6)
_START_CODE: Final = re.compile(rb"\x00\x00\x01")


class NoPicture(ValueError):
    """There is no slice."""


def in_stream(picture: bytes, unit: bytes) -> bytes:
    """Of a picture whose units begin with start codes."""
    for found in _START_CODE.finditer(picture):
        if found.end() < len(picture) and picture[found.end()] & 0x1F in SLICES:
            begin = found.start() - (1 if found.start() > 0 and picture[found.start() - 1] == 0 else 0)
            return picture[:begin] + b"\0\0\0\1" + unit + picture[begin:]
    raise NoPicture


def in_sample(sample: bytes, unit: bytes) -> bytes:
    """Of a picture whose units begin with their lengths, four bytes each."""
    at = 0
    while at + 4 < len(sample):
        if sample[at + 4] & 0x1F in SLICES:
            return sample[:at] + struct.pack(">I", len(unit)) + unit + sample[at:]
        at += 4 + int(struct.unpack_from(">I", sample, at)[0])
    raise NoPicture
