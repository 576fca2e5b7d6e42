"""What a transport stream says of the captions in its pictures: their languages (the caption_service_descriptor of ATSC A/65)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.media import transport
from shared.languages import is_language

HEAD: Final = 2 << 20
"""Bytes within which its tables come again and again."""
_CAPTION_SERVICES: Final = 0x86
_ENTRY: Final = 6


@dataclass(frozen=True)
class Announced:
    """Languages, where they are known."""

    services: Mapping[int, str] = field(default_factory=dict)
    """Of the services of CEA-708."""
    fields: Mapping[int, str] = field(default_factory=dict)
    """Of line 21: of the first channel in each field."""


NOTHING: Final = Announced()


def announced(head: bytes) -> Announced:
    """By the beginning of a transport stream; nothing, where it has no table or is none."""
    services: dict[int, str] = {}
    fields: dict[int, str] = {}
    for body in transport.descriptors(head, _CAPTION_SERVICES):
        for language, kind in _entries(body):
            if kind & 0x80:
                services.setdefault(kind & 0x3F, language)
            else:
                fields.setdefault(kind & 1, language)
    return Announced(services, fields)


def _entries(body: bytes) -> Iterator[tuple[str, int]]:
    count = body[0] & 0x1F if body else 0
    for at in range(1, min(1 + count * _ENTRY, len(body) - _ENTRY + 1), _ENTRY):
        language = body[at : at + 3].decode("ascii", "replace").lower()
        if is_language(language):
            yield language, body[at + 3]
