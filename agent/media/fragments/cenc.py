"""Common encryption (ISO/IEC 23001-7), scheme cenc: AES-CTR of whole sounds, and of pictures what their slices are made of.

Every sample has a vector of its own, which no other sample under the key ever has: keystreams that were used twice would give both
texts away.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from agent.media.fragments.samples import Run, Sample
from agent.media.fragments.tracks import Track
from agent.media.fragments.tree import Box, full

VECTOR: Final = 8
BLOCK: Final = 16
CLEAR: Final = 96
"""Bytes at the beginning of a slice that stay readable: decoders read its header before they decrypt."""
SLICES: Final = range(1, 6)
MAX_CLEAR: Final = 0xFFFF
STRIDE: Final = 1 << 40
"""From the vectors of one track to those of the next: more than a track has samples."""

Part = tuple[int, int]
"""Bytes that stay clear, then bytes that are encrypted."""


@dataclass(frozen=True)
class Cenc:
    """The key, and where a track's vectors begin."""

    key: bytes = field(repr=False)
    key_id: UUID
    first: int

    def of_track(self, number: int) -> Cenc:
        """Of the track with this number of all that have the key."""
        return replace(self, first=(self.first + number * STRIDE) % (1 << 64))


def encrypted(run: Run, cenc: Cenc, done: int) -> tuple[Run, tuple[Box, ...]]:
    """The samples of a fragment, `done` of whose track came before, and the boxes that tell how to undo it."""
    samples, vectors = [], []
    for number, sample in enumerate(run.samples, done):
        vector = ((cenc.first + number) % (1 << 64)).to_bytes(VECTOR, "big")
        parts = tuple(_parts(sample.data, run.track.length_size)) if run.track.is_picture else ()
        samples.append(_encrypted(sample, parts, cenc.key, vector))
        vectors.append((vector, parts))
    return replace(run, samples=tuple(samples)), _boxes(vectors)


def protected(track: Track, cenc: Cenc) -> Box:
    """The sample entry of a track whose samples are encrypted."""
    scheme = full(b"schm", 0, 0, b"cenc" + struct.pack(">I", 0x00010000))
    information = Box(b"schi", b"", (full(b"tenc", 0, 0, bytes([0, 0, 1, VECTOR]) + cenc.key_id.bytes),))
    sinf = Box(b"sinf", b"", (Box(b"frma", track.entry.kind), scheme, information))
    return Box(b"encv" if track.is_picture else b"enca", track.entry.content + bytes(sinf))


def _encrypted(sample: Sample, parts: tuple[Part, ...], key: bytes, vector: bytes) -> Sample:
    step = Cipher(AES(key), CTR(vector + bytes(BLOCK - VECTOR))).encryptor()
    if not parts:
        return replace(sample, data=step.update(sample.data))
    pieces, at = [], 0
    for clear, secret in parts:
        pieces.append(sample.data[at : at + clear])
        at += clear
        pieces.append(step.update(sample.data[at : at + secret]))
        at += secret
    return replace(sample, data=b"".join(pieces))


def _parts(data: bytes, length_size: int) -> Iterator[Part]:
    """What of a picture is encrypted: whole blocks at the ends of its slices."""
    clear = at = 0
    while at + length_size < len(data):
        size = length_size + int.from_bytes(data[at : at + length_size], "big")
        is_slice = data[at + length_size] & 0x1F in SLICES
        secret = max(0, size - length_size - CLEAR) // BLOCK * BLOCK if is_slice else 0
        clear += size - secret
        at += size
        if secret:
            yield from _split(clear, secret)
            clear = 0
    if clear:
        yield from _split(clear, 0)


def _split(clear: int, secret: int) -> Iterator[Part]:
    while clear > MAX_CLEAR:
        yield MAX_CLEAR, 0
        clear -= MAX_CLEAR
    yield clear, secret


def _boxes(vectors: list[tuple[bytes, tuple[Part, ...]]]) -> tuple[Box, ...]:
    has_parts = any(parts for _, parts in vectors)
    entries = [_entry(vector, parts, has_parts=has_parts) for vector, parts in vectors]
    sizes = bytes(map(len, entries)) if has_parts else b""
    saiz = full(b"saiz", 0, 0, struct.pack(">BI", 0 if has_parts else VECTOR, len(entries)) + sizes)
    saio = full(b"saio", 0, 0, struct.pack(">II", 1, 0))
    senc = full(b"senc", 0, 2 if has_parts else 0, struct.pack(">I", len(entries)) + b"".join(entries))
    return saiz, saio, senc


def _entry(vector: bytes, parts: tuple[Part, ...], *, has_parts: bool) -> bytes:
    if not has_parts:
        return vector
    return vector + struct.pack(">H", len(parts)) + b"".join(struct.pack(">HI", *part) for part in parts)
