"""Fragments of files as the standard has them, read by other code than the service's."""

from __future__ import annotations

import struct
from pathlib import Path


class Run:
    """The samples of a track in one fragment, as its boxes tell."""

    def __init__(self, content: bytes, moof: int) -> None:
        (size,) = struct.unpack_from(">I", content, moof)
        box = content[moof : moof + size]
        trun = box.index(b"trun") + 4
        count, data_offset = struct.unpack_from(">Ii", box, trun + 4)
        table = [struct.unpack_from(">IIIi", box, trun + 12 + 16 * number) for number in range(count)]
        self.sizes = [size for _, size, _, _ in table]
        (self.time,) = struct.unpack_from(">Q", box, box.index(b"tfdt") + 8)
        decoded = [self.time + sum(duration for duration, *_ in table[:number]) for number in range(count)]
        self.shown = [time + entry[3] for time, entry in zip(decoded, table, strict=True)]
        self.data = content[moof + data_offset :][: sum(self.sizes)]
        self.entries: list[tuple[bytes, list[tuple[int, int]]]] = []
        if b"senc" not in box:
            return
        senc = box.index(b"senc") + 4
        flags, total = struct.unpack_from(">II", box, senc)
        assert total == count
        saio = box.index(b"saio") + 4
        assert struct.unpack_from(">I", box, saio + 8)[0] == senc + 8
        at = senc + 8
        for _ in range(count):
            vector, parts, at = box[at : at + 8], [], at + 8
            if flags & 2:
                (number,), at = struct.unpack_from(">H", box, at), at + 2
                parts = [struct.unpack_from(">HI", box, at + 6 * part) for part in range(number)]
                at += 6 * number
            self.entries.append((vector, parts))


def runs(file: Path) -> list[Run]:
    content, found, at = file.read_bytes(), [], 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        found += [Run(content, at)] if kind == b"moof" else []
        at += size
    return found
