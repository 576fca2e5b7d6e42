"""Boxes within boxes (ISO/IEC 14496-12), as values."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

HEADER: Final = 8
CONTAINERS: Final = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf", b"mfra", b"edts", b"sinf", b"schi"}
)


@dataclass(frozen=True)
class Box:
    kind: bytes
    content: bytes = b""
    """Of a container: nothing, its children are all that it is."""
    children: tuple[Box, ...] = ()

    def __bytes__(self) -> bytes:
        content = self.content + b"".join(map(bytes, self.children))
        return struct.pack(">I4s", HEADER + len(content), self.kind) + content

    def __getitem__(self, kind: bytes) -> Box:
        """The first child of a kind. Raises KeyError."""
        for child in self.children:
            if child.kind == kind:
                return child
        raise KeyError(kind)

    def all(self, kind: bytes) -> tuple[Box, ...]:
        return tuple(child for child in self.children if child.kind == kind)

    def at(self, *path: bytes) -> Box:
        """Below its child of the first kind that of the second, and so on."""
        box = self
        for kind in path:
            box = box[kind]
        return box

    def having(self, *added: Box) -> Box:
        return replace(self, children=(*self.children, *added))

    def lacking(self, kind: bytes) -> Box:
        return replace(self, children=tuple(child for child in self.children if child.kind != kind))

    def changed(self, changes: Iterable[tuple[Box, Box]]) -> Box:
        """With children put in the place of others, which are known by being the very same."""
        instead = {id(old): new for old, new in changes}
        return replace(self, children=tuple(instead.get(id(child), child) for child in self.children))

    def exchanged(self, path: tuple[bytes, ...], new: Box) -> Box:
        """With another box in the place of the one at a path."""
        child = self[path[0]]
        return self.changed([(child, new if len(path) == 1 else child.exchanged(path[1:], new))])


def parsed(data: bytes) -> tuple[Box, ...]:
    return tuple(_boxes(data))


def full(kind: bytes, version: int, flags: int, content: bytes) -> Box:
    return Box(kind, struct.pack(">I", version << 24 | flags) + content)


def _boxes(data: bytes) -> Iterator[Box]:
    at = 0
    while at + HEADER <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + HEADER : at + size]
        yield Box(kind, b"", parsed(content)) if kind in CONTAINERS else Box(kind, content)
        at += max(size, HEADER)
