"""What is done to verified files before they are published: values; `agent.jobs` does it."""

from __future__ import annotations

from dataclasses import dataclass, field

BLOCK = 16


@dataclass(frozen=True)
class Encrypt:
    """Each file by itself, in place: AES-128 in CBC mode, padded as PKCS #7 says."""

    names: tuple[str, ...]
    key: bytes = field(repr=False)
    iv: bytes

    @staticmethod
    def size(clear: int) -> int:
        """Of what becomes of a file."""
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
