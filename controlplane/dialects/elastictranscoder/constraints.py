"""The words in which Elastic Transcoder told that a member breaks its rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from pydantic import ValidationError
from pydantic.alias_generators import to_pascal
from pydantic_core import ErrorDetails

from controlplane.http.reading import has_too_many
from shared.errors import InvalidField, MalformedRequest, TranscoderError

SHOWN: Final = 200
"""So many letters of a value are told back."""
MOST_TOLD: Final = 20
"""So many faults of a request are told: there may be one for every few bytes of it."""
_SECRETS: Final = frozenset({"Encryption", "ThumbnailEncryption", "HlsContentProtection", "PlayReadyDrm"})
_KINDS: Final = {
    "string_type": "string",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "structure",
    "model_type": "structure",
    "model_attributes_type": "structure",
}


def invalid(error: ValidationError) -> TranscoderError:
    """What is wrong with a request, all of it, as the service told it."""
    if has_too_many(error):
        return InvalidField(f"{error.error_count()} validation errors detected: too many to tell")
    found = error.errors(include_url=False)
    if found[0]["type"] == "json_invalid" or not found[0]["loc"]:
        return MalformedRequest("The body is not a JSON object.")
    noun = "error" if len(found) == 1 else "errors"
    sentences = "; ".join([*map(_sentence, found[:MOST_TOLD]), *(["…"] if len(found) > MOST_TOLD else [])])
    return InvalidField(f"{len(found)} validation {noun} detected: {sentences}")


def refused(place: str, value: object, rule: str) -> InvalidField:
    """A refusal of our own in the words of the service; `rule` goes on after "Member must"."""
    told = f"Value {_shown(value)} at '{place}' failed to satisfy constraint: Member must {rule}"
    return InvalidField(f"1 validation error detected: {told}")


def spelled(place: Sequence[str | int]) -> str:
    """`outputs.2.member.presetId`, for a place that is given by names of the wire or our own."""
    return ".".join(f"{part + 1}.member" if isinstance(part, int) else _camel(part) for part in place)


def _sentence(error: ErrorDetails) -> str:
    return f"Value{_told(error)} at '{spelled(error['loc'])}' failed to satisfy constraint: Member must {_rule(error)}"


def _told(error: ErrorDetails) -> str:
    """The value at fault; not where it is a key or may hold one: in a structure, or in a member that nobody knows."""
    kind, value = error["type"], error["input"]
    if kind == "missing":
        return " null"
    may_be_secret = kind == "extra_forbidden" or isinstance(value, dict | list) or not _SECRETS.isdisjoint(error["loc"])
    return "" if may_be_secret else f" {_shown(value)}"


def common_rule(error: ErrorDetails, write: Callable[[Any], str]) -> str | None:
    """What goes on after "Member must", for rules that the service had as well; `write` is how its numbers are told.

    Its model has no enumerations, but patterns.
    """
    context = error.get("ctx", {})
    match error["type"]:
        case "string_pattern_mismatch":
            return f"satisfy regular expression pattern: {context['pattern'].removeprefix('(?-u)')}"
        case "literal_error" | "enum":
            values = re.findall(_QUOTED, context["expected"])
            return f"satisfy regular expression pattern: {'|'.join(f'(^{value}$)' for value in values)}"
        case "string_too_short" | "too_short":
            return f"have length greater than or equal to {context['min_length']}"
        case "string_too_long" | "too_long":
            return f"have length less than or equal to {context['max_length']}"
        case "greater_than_equal":
            return f"have value greater than or equal to {write(context['ge'])}"
        case "less_than_equal":
            return f"have value less than or equal to {write(context['le'])}"
        case "multiple_of":
            return f"be a multiple of {write(context['multiple_of'])}"
    return None


def _rule(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "missing" or error["input"] is None:
        return "not be null"
    if kind == "extra_forbidden":
        return "be one that this operation has"
    if kind in _KINDS:
        return f"be a {_KINDS[kind]}"
    return common_rule(error, str) or f"be otherwise: {error['msg']}"


_QUOTED: Final = r"'([^']*)'"


def _shown(value: object) -> str:
    if value is None:
        return "null"
    text = str(value)
    return f"'{text if len(text) <= SHOWN else text[:SHOWN] + '…'}'"


@cache
def _camel(name: str) -> str:
    pascal = to_pascal(name) if "_" in name or name.islower() else name
    return pascal[:1].lower() + pascal[1:]
