"""What is done to verified files before they are published: values; `agent.jobs` does it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.protocol import Cipher

BLOCK = 16


@dataclass(frozen=True)
class Encrypt:
    """Each file by itself, in place."""

    names: tuple[str, ...]
    cipher: Cipher

    @staticmethod
    def size(clear: int) -> int:
        """Of what becomes of a file whose blocks are chained and filled up."""
        return (clear // BLOCK + 1) * BLOCK


@dataclass(frozen=True)
class Join:
    """One file of others, one after the other."""

    name: str
    parts: tuple[str, ...]
    keeps_parts: bool


@dataclass(frozen=True)
class Mark:
    """A few bytes of a file, written over those that are there."""

    name: str
    offset: int
    content: bytes


Recipe = Encrypt | Join | Mark
