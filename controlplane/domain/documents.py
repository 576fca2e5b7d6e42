"""Reads job documents. Tenants send film after film through the same outputs: those read before are not looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from controlplane.domain.recurring import Recurring
from shared.jobspec import JobDocument, Output

MOST_KNOWN: Final = 256
LARGEST_KNOWN: Final = 32 * 1024
"""Bytes."""

_known: Final[Recurring[bytes, tuple[Output, ...]]] = Recurring(MOST_KNOWN)
"""By their JSON, as orjson writes it."""


class _Aside(JobDocument):
    """All of a document but outputs that are known."""

    outputs: tuple[Output, ...] = ()


def read(sent: bytes) -> JobDocument:
    """As `JobDocument.model_validate_json`: raises ValidationError in its words."""
    fields, text = _taken_apart(sent)
    known = _known.get(text)
    if known is not None:
        return _with(_Aside.model_validate_json(orjson.dumps({**fields, "outputs": []})), known)
    document = JobDocument.model_validate_json(sent)
    if 0 < len(text) <= LARGEST_KNOWN:
        _known.offer(text, document.outputs)
    return document


def completed(fields: Mapping[str, Any], outputs: tuple[Output, ...]) -> JobDocument:
    """A document that was made of something else, whose outputs were read before. Raises ValidationError."""
    return _with(_Aside.model_validate({**fields, "outputs": ()}, strict=False), outputs)


def _with(aside: _Aside, outputs: tuple[Output, ...]) -> JobDocument:
    return JobDocument.model_construct(aside.model_fields_set, **{**vars(aside), "outputs": outputs})


def _taken_apart(sent: bytes) -> tuple[dict[str, Any], bytes]:
    """Its fields, and its outputs as text; nothing of what is no document, whose faults are for JobDocument to tell."""
    try:
        fields = orjson.loads(sent)
        return fields, orjson.dumps(fields["outputs"])
    except (ValueError, TypeError, KeyError):
        return {}, b""
