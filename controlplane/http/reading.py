"""Reads documents: whole, soon, and no larger than their route takes; and says what is wrong with one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from controlplane.domain.notifications import TOPIC_PATTERN
from controlplane.http.keys import SETTINGS
from shared.errors import ErrorCode, InvalidField, MalformedRequest, TooLarge, TranscoderError
from shared.jobspec.fields import ID_PATTERN

MOST_FAULTS: Final = 1000

_DETAILS: Final = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field.",
    ID_PATTERN: "No id has this form; they look like 1763750000000-a1b2c3.",
    TOPIC_PATTERN: "No topic has this form; they look like arn:aws:sns:eu-west-1:123456789012:films-done.",
}
"""In our words, by the type of the fault or by the pattern that something does not match."""
_RENAMED: Final = {"missing": ErrorCode.MISSING_FIELD, "extra_forbidden": ErrorCode.UNKNOWN_FIELD}


def size_of_document(request: web.Request, limit: int) -> int:
    """Before it is read. One whose length nobody tells may be as large as any."""
    told = request.content_length
    return min(limit, told) if told is not None else limit if request.can_read_body else 0


async def document(request: web.Request, limit: int) -> bytes:
    """The body. Raises TranscoderError: too large, too slow, or compressed, which none of ours is."""
    refuse_encoding(request)
    if (request.content_length or 0) > limit:
        raise TooLarge("The document is too large.")
    body = request.content if request.content_length is not None else request.clone(client_max_size=limit)
    if request.content.is_eof():
        return await body.read()
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_timeout):
            return await body.read()
    except TimeoutError as error:
        raise TranscoderError.of(ErrorCode.TOO_SLOW, "The document did not arrive in time.") from error


def refuse_encoding(request: web.Request) -> None:
    """A few bytes would become many here, and what is kept is what was sent."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TranscoderError.of(ErrorCode.UNSUPPORTED_ENCODING, "Send it as it is, without a `Content-Encoding`.")


def has_too_many(error: ValidationError) -> bool:
    """Faults of which each might be looked at: a document may have one for every few bytes, and others wait meanwhile."""
    return error.error_count() > MOST_FAULTS


def invalid(error: ValidationError) -> TranscoderError:
    """The first thing that is wrong with a document, with a pointer to it."""
    if has_too_many(error):
        return InvalidField(f"This document has {error.error_count()} faults: too many to tell the first.")
    first = error.errors(include_url=False, include_input=False)[0]
    location = [str(part) for place, part in enumerate(first["loc"]) if not _is_tag(first["loc"], place)]
    context = first.get("ctx", {})
    if "field" in context:
        location += str(context["field"]).split("/")
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in location)
    if first["type"] in ("json_invalid", "json_type"):
        return MalformedRequest(f"The body is not JSON: {context.get('error', first['msg'])}.")
    detail = _DETAILS.get(context.get("pattern", first["type"]), first["msg"].removeprefix("Value error, "))
    code = _RENAMED.get(first["type"])
    return TranscoderError.of(code, detail, pointer=pointer) if code else InvalidField(detail, pointer=pointer)


def _is_tag(location: Sequence[str | int], place: int) -> bool:
    """Names that pydantic puts at the end of a location: for the branch of a union that it tried, or for a key's own rule.

    Not those directly below a field whose keys are the tenant's own.
    """
    part = location[place]
    if not isinstance(part, str) or place != len(location) - 1:
        return False
    if place > 0 and location[place - 1] in _FREE_FIELDS:
        return False
    return part.startswith(("literal[", "function-", "constrained-")) or part in _TAGS


_TAGS: Final = frozenset({"int", "str", "float", "bool", "[key]"})
_FREE_FIELDS: Final = frozenset({"metadata", "labels"})
