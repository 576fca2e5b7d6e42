"""Reads job documents. Tenants send film after film through the same outputs: those read before are not looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from controlplane.domain.recurring import Recurring
from shared.jobspec import JobDocument, Output, Playlist

MOST_KNOWN: Final = 256
LARGEST_KNOWN: Final = 32 * 1024
"""Bytes."""


class Made(NamedTuple):
    """What a job makes, as its document says."""

    outputs: tuple[Output, ...]
    playlists: tuple[Playlist, ...]


_known: Final[Recurring[bytes, Made]] = Recurring(MOST_KNOWN)
"""By their JSON, as orjson writes it."""


class _Aside(JobDocument):
    """All of a document but outputs that are known."""

    outputs: tuple[Output, ...] = ()


def read(sent: bytes) -> JobDocument:
    """As `JobDocument.model_validate_json`: raises ValidationError in its words."""
    fields, text = _taken_apart(sent)
    known = _known.get(text)
    if known is not None:
        return _with(_Aside.model_validate_json(orjson.dumps(without(fields, ("outputs", "playlists")))), known)
    document = JobDocument.model_validate_json(sent)
    if 0 < len(text) <= LARGEST_KNOWN:
        _known.offer(text, made(document))
    return document


def made(document: JobDocument) -> Made:
    return Made(document.outputs, document.playlists)


def completed(fields: Mapping[str, Any], known: Made) -> JobDocument:
    """A document that came from elsewhere, and what it makes, which was read before. Raises ValidationError."""
    return _with(_Aside.model_validate(without(fields, ("outputs", "playlists")), strict=False), known)


def without(fields: Mapping[str, Any], lists: tuple[str, ...]) -> dict[str, Any]:
    """With empty ones where there are some."""
    return {**fields, **{name: [] for name in lists if fields.get(name) is not None}}


def _with(aside: _Aside, known: Made) -> JobDocument:
    return JobDocument.model_construct(
        aside.model_fields_set, **{**vars(aside), "outputs": known.outputs, "playlists": known.playlists}
    )


def _taken_apart(sent: bytes) -> tuple[dict[str, Any], bytes]:
    """Its fields, and what it makes as text; nothing of what is no document, whose faults are for JobDocument to tell."""
    try:
        fields = orjson.loads(sent)
        return fields, orjson.dumps([fields["outputs"], fields.get("playlists", [])])
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, b""
