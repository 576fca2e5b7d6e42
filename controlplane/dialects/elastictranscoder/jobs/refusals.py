"""What the native document refuses, in the names of the wire: a fault that its rules find is one of what was sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from controlplane.dialects.elastictranscoder import faults
from controlplane.dialects.elastictranscoder.constraints import spelled
from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.faults import Place
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from controlplane.dialects.elastictranscoder.translation import members
from shared.errors import TranscoderError


def in_wire_names(error: TranscoderError, sent: CreateJob) -> TranscoderError:
    """The same refusal, worded as the service worded its own; itself where it points at nothing."""
    if error.pointer is None:
        return error
    return faults.told(error, place(error.pointer, sent), sent, _renamed(error.detail, sent))


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
    found, _ = faults.value(place(pointer, sent), sent)
    return str(found)


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


def _renamed(sentence: str, sent: CreateJob) -> str:
    """A sentence about native fields and places, about those of the wire."""
    sentence = _POINTER.sub(lambda found: spelled(place(found[0], sent)), sentence)
    return faults.renamed(sentence, CreateJob)


_POINTER: Final = re.compile(r"/(?:inputs|outputs|playlists)(?:/\w+)+")
