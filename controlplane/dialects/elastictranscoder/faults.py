"""What native documents refuse, told of what was sent: in the words of the service, and in the names and units of the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from controlplane.dialects.elastictranscoder.constraints import common_rule, spelled
from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.translation import members
from controlplane.http.reading import invalid
from shared.errors import ErrorCode, InvalidField, TranscoderError

Place = tuple[str | int, ...]
"""Of a member, by the names that it has here: ("outputs", 0, "captions", "caption_formats", 1, "pattern")."""


def first(
    error: ValidationError, write: Callable[[str], Callable[[Any], str]] = lambda _: "{:g}".format
) -> TranscoderError:
    """The first fault of a native document, with a pointer to it; `write` has, by the pointer, how bounds there are told."""
    found = invalid(error)
    if found.pointer is None or found.code is not ErrorCode.INVALID_FIELD:
        return found
    rule = common_rule(error.errors(include_url=False, include_input=False)[0], write(found.pointer))
    return InvalidField(f"Member must {rule}", pointer=found.pointer) if rule else found


def told(error: TranscoderError, where: Place, sent: Structure, sentence: str) -> InvalidField:
    """The refusal as the service worded its own. `sentence` is that of the error, about the wire."""
    constraint = _REQUIRED if error.code is ErrorCode.MISSING_FIELD else sentence
    return InvalidField(f"1 validation error detected: {_told(where, sent)} failed to satisfy constraint: {constraint}")


def value(where: Place, sent: Structure) -> tuple[Any, bool]:
    """What was sent there, and whether it is no secret."""
    found: Any = sent
    is_shown = True
    for part in where:
        if found is None:
            break
        if isinstance(part, str):
            is_shown = type(found).model_fields[part].repr
            found = getattr(found, part)
        else:
            found = found[part]
    return found, is_shown


def renamed(sentence: str, structure: type[Structure]) -> str:
    """A sentence about native fields, about those members of the wire that lie in a structure."""
    names = _names(structure)
    return _NAME.sub(lambda found: names.get(found[1] or found[2], found[0]), sentence)


_REQUIRED: Final = "Member must not be null"
_NAME: Final = re.compile(r"`(\w+)`|\b([a-z]+(?:_[a-z0-9]+)+)\b")


def _told(where: Place, sent: Structure) -> str:
    """Not what is a secret, or holds some."""
    found, is_shown = value(where, sent)
    if found is None:
        return f"Value null at '{spelled(where)}'"
    shown = f" '{found}'" if is_shown and isinstance(found, str) else ""
    return f"Value{shown} at '{spelled(where)}'"


@cache
def _names(structure: type[Structure]) -> Mapping[str, str]:
    """What native fields are called on the wire; where one has several names, that of the member that comes last."""
    found: dict[str, str] = {}
    for member in members(structure).values():
        if member.native.is_kept:
            found[member.path[-1]] = member.wire
            if member.structure is not None:
                found |= _names(member.structure)
    return found
