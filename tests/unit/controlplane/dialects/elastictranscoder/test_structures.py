"""What members may be is what the vendor's own model says, letter by letter: refusals tell it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, get_args

import pytest
from pydantic.fields import FieldInfo

from controlplane.dialects.elastictranscoder import OPERATIONS
from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.translation import members
from tests import clients

MODEL: Final = json.loads(clients.unpacked("service-2"))
SHAPES: Final[dict[str, Any]] = MODEL["shapes"]
OTHERWISE: Final = {
    "JobInput.Container": "mp2 is in the guide as well",
    "CreatePipeline.Role": "has words of its own",
    "UpdatePipeline.Role": "has words of its own",
    "TestRole.Role": "has words of its own",
}


def patterns(structure: type[Structure], shape: str) -> Iterator[tuple[str, str, str]]:
    """Of each member with one, at any depth: its name, the model's pattern and ours."""
    for member in members(structure).values():
        told = SHAPES[shape]["members"][member.wire]["shape"]
        within = SHAPES[told]["member"]["shape"] if SHAPES[told]["type"] == "list" else told
        name = f"{structure.__name__}.{member.wire}"
        if member.structure is not None and SHAPES[within]["type"] == "structure":
            yield from patterns(member.structure, within)
        elif "pattern" in SHAPES[within] and name not in OTHERWISE:
            yield name, SHAPES[within]["pattern"], "|".join(dict.fromkeys(ours(structure.model_fields[member.name])))


def ours(part: Any) -> Iterator[str]:
    """Patterns, and the values of what is one of several, wherever they are in a member's type."""
    metadata = part.metadata if isinstance(part, FieldInfo) else getattr(part, "__metadata__", ())
    for one in metadata:
        for rule in (one, *getattr(one, "metadata", ())):
            if getattr(rule, "pattern", None):
                yield rule.pattern.removeprefix("(?-u)")
    for inner in get_args(part.annotation if isinstance(part, FieldInfo) else part):
        if isinstance(inner, str):
            yield f"(^{inner}$)"
        else:
            yield from ours(inner)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_patterns_are_those_of_the_model(operation: Any) -> None:
    shape = MODEL["operations"][operation.name]["input"]["shape"]
    found = list(patterns(operation.takes, shape))
    assert found or operation.name == "CreatePreset"
    for name, expected, here in found:
        assert here == expected, name
