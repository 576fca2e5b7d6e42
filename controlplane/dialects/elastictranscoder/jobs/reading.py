"""Reads CreateJobs. Clients send film after film through the same outputs: those that were read before are not looked at again."""

from __future__ import annotations

from typing import Any, Final

import orjson
from pydantic import ValidationError

from controlplane.dialects.elastictranscoder.jobs import refusals
from controlplane.dialects.elastictranscoder.jobs.documents import document
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from controlplane.domain import documents
from controlplane.http.reading import invalid
from shared.jobspec import JobDocument, Output

_known: Final[dict[bytes, tuple[Output, ...]]] = {}
"""By what was sent for them, as orjson writes it."""


def read(sent: bytes) -> JobDocument:
    """What is asked for. Raises ValidationError where a rule of the wire is broken, InvalidField where a native one is."""
    fields, text = _taken_apart(sent)
    known = _known.get(text)
    if known is not None:
        aside = CreateJob.model_validate_json(orjson.dumps({**fields, "Outputs": []}))
        return _checked(aside, known)
    document = _checked(CreateJob.model_validate_json(sent or b"{}"), None)
    if 0 < len(text) <= documents.LARGEST_KNOWN:
        if len(_known) >= documents.MOST_KNOWN:
            _known.clear()
        _known[text] = document.outputs
    return document


def _checked(sent: CreateJob, outputs: tuple[Output, ...] | None) -> JobDocument:
    fields = document(sent)
    try:
        if outputs is not None:
            return documents.completed(fields, outputs)
        return JobDocument.model_validate(fields, strict=False)
    except ValidationError as error:
        raise refusals.in_wire_names(invalid(error), sent) from error


def _taken_apart(sent: bytes) -> tuple[dict[str, Any], bytes]:
    """Its members, and its outputs as text; nothing of what is no request, or holds what is not to be remembered."""
    try:
        fields = orjson.loads(sent)
        outputs = fields["Outputs"]
        text = orjson.dumps(outputs)
    except (ValueError, TypeError, KeyError):
        return {}, b""
    return (fields, text) if isinstance(outputs, list) and b"Encryption" not in text else ({}, b"")
