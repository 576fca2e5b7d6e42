"""What the native document refuses, in the names of the wire: a fault that its rules find is one of what was sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from controlplane.dialects.elastictranscoder.constraints import spelled
from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from controlplane.dialects.elastictranscoder.translation import members
from shared.errors import ErrorCode, InvalidField, TranscoderError

Place = tuple[str | int, ...]
"""Of a member, by the names that it has here: ("outputs", 0, "captions", "caption_formats", 1, "pattern")."""


def in_wire_names(error: TranscoderError, sent: CreateJob) -> TranscoderError:
    """The same refusal, worded as the service worded its own; itself where it points at nothing."""
    if error.pointer is None:
        return error
    where = place(error.pointer, sent)
    sentence = _REQUIRED if error.code is ErrorCode.MISSING_FIELD else _renamed(error.detail, sent)
    return InvalidField(f"1 validation error detected: {_told(where, sent)} failed to satisfy constraint: {sentence}")


def place(pointer: str, sent: CreateJob) -> Place:
    """Of what a pointer into the native document leads to, as far as it is on the wire."""
    native = [int(part) if part.isdecimal() else part for part in pointer.split("/")[1:]]
    found = _place(CreateJob, native)
    for one, many in (("input", "inputs"), ("output", "outputs")):
        if found[:2] == (many, 0) and getattr(sent, one) is not None:
            return (one, *found[2:])
    return found


def value(pointer: str, sent: CreateJob) -> str:
    """The text that was sent for what a pointer leads to."""
    found, _ = _value(place(pointer, sent), sent)
    return str(found)


_REQUIRED: Final = "Member must not be null"


def _place(structure: type[Structure], native: Sequence[str | int]) -> Place:
    shared = {member: _common(member.path, native) for member in members(structure).values() if member.native.is_kept}
    member = max(shared, key=lambda one: shared[one], default=None)
    if member is None or not shared[member]:
        return ()
    rest = (*member.native.within, *native[shared[member] :])
    if shared[member] < len(member.path) or not rest:
        return (member.name,)
    if member.is_list:
        index, *below = rest
        return (member.name, index, *(_place(member.structure, below) if member.structure else ()))
    return (member.name, *(_place(member.structure, rest) if member.structure else ()))


def _common(path: Sequence[str], native: Sequence[str | int]) -> int:
    """How many steps both begin with."""
    count = 0
    for step, other in zip(path, native, strict=False):
        if step != other:
            break
        count += 1
    return count


def _told(where: Place, sent: CreateJob) -> str:
    """What was sent there; not where it is a secret, or holds some."""
    found, is_shown = _value(where, sent)
    if found is None:
        return f"Value null at '{spelled(where)}'"
    shown = f" '{found}'" if is_shown and isinstance(found, str) else ""
    return f"Value{shown} at '{spelled(where)}'"


def _value(where: Place, sent: CreateJob) -> tuple[Any, bool]:
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


def _renamed(sentence: str, sent: CreateJob) -> str:
    """A sentence about native fields, about those of the wire."""
    names = _names()
    sentence = _POINTER.sub(lambda found: spelled(place(found[0], sent)), sentence)
    return _NAME.sub(lambda found: names.get(found[1] or found[2], found[0]), sentence)


_POINTER: Final = re.compile(r"/(?:inputs|outputs|playlists)(?:/\w+)+")
_NAME: Final = re.compile(r"`(\w+)`|\b([a-z]+(?:_[a-z0-9]+)+)\b")


@cache
def _names() -> dict[str, str]:
    """What native fields are called on the wire; those of outputs, where inputs have others."""
    found: dict[str, str] = {}
    _gather(CreateJob, found)
    return found


def _gather(structure: type[Structure], found: dict[str, str]) -> None:
    for member in members(structure).values():
        if member.native.is_kept:
            found[member.path[-1]] = member.wire
            if member.structure is not None:
                _gather(member.structure, found)
