"""Reads CreateJobs. Clients send film after film through the same outputs: those that were read before are not looked at again."""

from __future__ import annotations

from typing import Any, Final

import orjson
from pydantic import ValidationError

from controlplane.dialects.elastictranscoder import faults
from controlplane.dialects.elastictranscoder.jobs import refusals
from controlplane.dialects.elastictranscoder.jobs.documents import document
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from controlplane.domain import documents
from controlplane.domain.documents import Made
from controlplane.domain.recurring import Recurring
from shared.jobspec import JobDocument
from shared.jobspec.job import MOST_INPUTS

_known: Final[Recurring[bytes, Made]] = Recurring(documents.MOST_KNOWN)
"""By what was sent for it, as orjson writes it."""
_SECRETS: Final = (b"Encryption", b"HlsContentProtection", b"PlayReadyDrm")


def read(sent: bytes) -> JobDocument:
    """What is asked for. Raises ValidationError where a rule of the wire is broken, InvalidField where a native one is."""
    fields, text = _taken_apart(sent)
    known = _known.get(text)
    if known is not None:
        aside = orjson.dumps(documents.without(fields, ("Outputs", "Playlists")))
        return _checked(_wire(aside), known)
    document = _checked(_wire(sent or b"{}"), None)
    if _may_be_known(fields, text):
        _known.offer(text, documents.made(document))
    return document


def _wire(sent: bytes) -> CreateJob:
    return CreateJob.model_validate_json(_shortened(sent) if len(sent) > documents.LARGEST_KNOWN else sent)


def _checked(sent: CreateJob, known: Made | None) -> JobDocument:
    fields = document(sent)
    try:
        if known is not None:
            return documents.completed(fields, known)
        return JobDocument.model_validate(fields, strict=False)
    except ValidationError as error:
        raise refusals.in_wire_names(faults.first(error), sent) from error


def _shortened(sent: bytes) -> bytes:
    """Of lists that are too long by far only the beginning: each of their items may have faults, and none is to be looked at."""
    try:
        fields = orjson.loads(sent)
        return orjson.dumps({name: _beginning(value) for name, value in fields.items()})
    except (ValueError, TypeError, AttributeError):
        return sent


def _beginning(value: Any) -> Any:
    return value[: MOST_INPUTS + 1] if isinstance(value, list) else value


def _taken_apart(sent: bytes) -> tuple[dict[str, Any], bytes]:
    """Its members, and what it makes as text; nothing of what is no request."""
    try:
        fields = orjson.loads(sent)
        return fields, orjson.dumps([fields["Outputs"], fields.get("Playlists", [])])
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, b""


def _may_be_known(fields: dict[str, Any], text: bytes) -> bool:
    """Not what holds keys, nor where there is no list of outputs but one that is no part of the text."""
    is_list = isinstance(fields.get("Outputs"), list) and len(text) <= documents.LARGEST_KNOWN
    return is_list and not any(secret in text for secret in _SECRETS)
