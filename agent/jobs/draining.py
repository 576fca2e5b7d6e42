"""Files that become others. What was read of the old one gives back its place on the disk: there is never need for both of them."""

from __future__ import annotations

import ctypes
from typing import BinaryIO, Final

STEP: Final = 4 << 20
"""Bytes that are given back at once."""
_KEEP_SIZE: Final = 1
_PUNCH_HOLE: Final = 2


class Draining:
    """Reads a file. Where its file system cannot give back parts of one, it keeps its place until it is removed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._given_back = 0

    def read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def take(self, offset: int, length: int) -> bytes:
        """The same, of what is read in its order: nothing before it is asked for again."""
        whole = offset // STEP * STEP
        if whole > self._given_back:
            _give_back(self._file.fileno(), self._given_back, whole - self._given_back)
            self._given_back = whole
        return self.read(offset, length)


def _give_back(descriptor: int, offset: int, length: int) -> None:
    _FALLOCATE(descriptor, _KEEP_SIZE | _PUNCH_HOLE, ctypes.c_longlong(offset), ctypes.c_longlong(length))


_FALLOCATE: Final = ctypes.CDLL(None, use_errno=True).fallocate64
