"""The members of a job on Elastic Transcoder's wire, what each is natively, and which tests show it through that wire.

A path is as in what is answered: "Outputs[].Rotate". What stands at several places is named once: see `AT`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.jobs.structures import CaptionSource, CreateJob, Encryption
from controlplane.dialects.elastictranscoder.translation import Member, members

AT: Final[Mapping[type[Structure], tuple[str, str]]] = {
    Encryption: ("Encryption.", "encryption."),
    CaptionSource: ("Inputs[].InputCaptions.CaptionSources[].", "inputs[].captions.sources[]."),
}
"""Where on the wire and where natively, by `tests.fields.AT`."""


def carries(*members: str) -> pytest.MarkDecorator:
    """A test that shows what becomes of these, sent by a client of Elastic Transcoder."""
    return pytest.mark.carries(*members)


@dataclass(frozen=True)
class Row:
    wire: str
    native: str | None
    """None: nothing in the document."""
    says: str
    """Where what is answered, or meant, differs from what was sent."""


def table() -> list[Row]:
    found = {row.wire: row for row in _rows(CreateJob, "", "")}
    for structure, (wire, native) in AT.items():
        found |= {row.wire: row for row in _rows(structure, wire, native)}
    return list(found.values())


def _rows(structure: type[Structure], wire: str, native: str) -> Iterator[Row]:
    for member in members(structure).values():
        here = native + ".".join(member.path)
        yield Row(wire + member.wire, here if member.native.is_kept else None, _says(structure, member))
        if member.structure is not None and member.native.is_kept and member.structure not in AT:
            yield from _below(member, f"{wire}{member.wire}{'[]' if member.is_list else ''}.", here)


def _below(member: Member, wire: str, native: str) -> Iterator[Row]:
    assert member.structure is not None
    if not member.native.within:
        yield from _rows(member.structure, wire, f"{native}{'[]' if member.is_list else ''}.")
        return
    (around,) = members(member.structure).values()  # what the wire puts around the native structure
    assert around.structure is not None
    yield Row(wire + around.wire, native, "")
    yield from _rows(around.structure, f"{wire}{around.wire}.", f"{native}.")


def _says(structure: type[Structure], member: Member) -> str:
    return structure.model_fields[member.name].description or ""
