"""Captions within pictures: `cc_data` of ATSC A/53, which is registered user data of a SEI NAL unit in H.264 and HEVC, and user
data of a picture in MPEG-2. Read from all of them, and written for H.264.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

NAL_TYPE: Final = 6
_USER_DATA: Final = 4
_CAPTIONS: Final = b"GA94\x03"
"""The identifier of ATSC, and that closed captions follow."""
_ATSC: Final = b"\xb5\x00\x31" + _CAPTIONS
"""Behind the United States and ATSC as it registered itself there."""
_PROCESS: Final = 0x40
_VALID: Final = 0x04


@dataclass(frozen=True)
class Triplet:
    kind: int
    """0 and 1: a pair of line 21 in that field; 3: the start of a packet of digital captions, 2: more of it."""
    first: int
    second: int


def written(triplets: Sequence[Triplet], count: int) -> bytes:
    """A NAL unit with so many triplets; those that are missing say that they are none."""
    body = b"".join(bytes((0xF8 | _VALID | one.kind, one.first, one.second)) for one in triplets)
    padding = bytes((0xF8 | 2, 0, 0)) * (count - len(triplets))
    payload = _ATSC + bytes((0x80 | _PROCESS | count, 0xFF)) + body + padding + b"\xff"
    message = bytes((_USER_DATA,)) + _varying(len(payload)) + payload + b"\x80"
    return bytes((NAL_TYPE,)) + _ESCAPE.sub(b"\x00\x00\x03", message)


def triplets(unit: bytes) -> Iterator[Triplet]:
    """What a NAL unit of SEI says of captions; nothing, where it is damaged."""
    for kind, payload in _messages(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00")):
        if kind == _USER_DATA and payload.startswith(_ATSC):
            yield from _triplets(payload[len(_ATSC) :])


def triplets_of_user_data(data: bytes) -> Iterator[Triplet]:
    """What user data of a picture in MPEG-2 says of captions."""
    if data.startswith(_CAPTIONS):
        yield from _triplets(data[len(_CAPTIONS) :])


def _triplets(captions: bytes) -> Iterator[Triplet]:
    flags = captions[0] if captions else 0
    if not flags & _PROCESS:
        return
    data = captions[2:][: 3 * (flags & 0x1F)]
    for at in range(0, len(data) - 2, 3):
        if data[at] & _VALID:
            yield Triplet(data[at] & 3, data[at + 1], data[at + 2])


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 < len(data):
        kind, at = _read_varying(data, at)
        size, at = _read_varying(data, at)
        yield kind, data[at : at + size]
        at += size


_ESCAPE: Final = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def _varying(number: int) -> bytes:
    return b"\xff" * (number // 255) + bytes((number % 255,))


def _read_varying(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    while at < len(data) and data[at] == 0xFF:
        number, at = number + 255, at + 1
    return number + (data[at] if at < len(data) else 0), at + 1
