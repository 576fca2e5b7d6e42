"""From a CreateJob to the native job document."""

from __future__ import annotations

from typing import cast

from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from controlplane.dialects.elastictranscoder.translation import Fields, to_native
from shared.errors import InvalidField


def document(sent: CreateJob) -> Fields:
    """The native document that a CreateJob asks for, still unchecked. Raises InvalidField."""
    found = to_native(sent)
    for one, many in (("input", "inputs"), ("output", "outputs")):
        found[many] = _one_or_many(sent, one, many, found.get(many))
    for output in found["outputs"]:
        if "pattern" not in output.get("thumbnails", {"pattern": ""}):
            del output["thumbnails"]  # there are none to encrypt
    return found


def _one_or_many(sent: CreateJob, one: str, many: str, translated: list[Fields] | None) -> list[Fields]:
    single: Structure | None = getattr(sent, one)
    if single is not None and translated is not None:
        raise InvalidField(f"[{one.title()} and {many.title()} are mutually exclusive.]")
    if single is None and translated is None:
        raise InvalidField(f"[{one.title()} and {many.title()} are not allowed to both be null.]")
    return translated if translated is not None else [to_native(cast("Structure", single))]
