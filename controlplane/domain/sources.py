"""The objects that a job reads."""

from __future__ import annotations

from dataclasses import dataclass

from shared.jobspec import JobDocument


@dataclass(frozen=True)
class Source:
    key: str
    sha256: str | None = None
    """Of the whole object, in hexadecimal, where the tenant named it."""


def sources(document: JobDocument) -> tuple[Source, ...]:
    """The inputs in their order, then whatever else it refers to, each once. Places in this row are what nodes are told."""
    return tuple(Source(wanted.key, wanted.sha256) for wanted in document.inputs)
