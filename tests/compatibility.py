"""Which tests show a field of Elastic Transcoder's model: `docs/elastictranscoder/compatibility.md` is made from these marks.

A field is a member of a structure of the vendor's own model, of its input or output: "CreateJobOutput.Rotate", "Job.Timing".
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from tests import clients
from tests.fields import TESTS, Shown


def answers(*fields: str) -> pytest.MarkDecorator:
    """Marks a test in which each of these is sent or answered, and compared; "Timing.*" are all of a structure."""
    return pytest.mark.answers(*fields)


@cache
def model() -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(clients.unpacked("service-2"))
    return told


def structures() -> dict[str, list[str]]:
    """Members by structure, in the order in which operations lead to them."""
    found: dict[str, list[str]] = {}
    for operation in model()["operations"].values():
        for way in ("input", "output"):
            _gather(operation[way]["shape"], found)
    return found


def fields() -> list[str]:
    return [f"{structure}.{member}" for structure, members in structures().items() for member in members]


def is_deprecated(field: str) -> bool:
    structure, _, member = field.partition(".")
    return bool(model()["shapes"][structure]["members"][member].get("deprecated"))


def said(shape: str, value: Any) -> Iterator[str]:
    """The fields that a request or an answer has."""
    told = model()["shapes"][shape]
    if told["type"] == "structure":
        for member, inner in value.items():
            if member in told["members"] and inner is not None:
                yield f"{shape}.{member}"
                yield from said(told["members"][member]["shape"], inner)
    elif told["type"] == "list":
        for item in value:
            yield from said(told["member"]["shape"], item)


def spelled_out(marked: str) -> list[str]:
    structure, _, member = marked.partition(".")
    return [f"{structure}.{one}" for one in structures()[structure]] if member == "*" else [marked]


def marks() -> dict[str, list[Shown]]:
    """Read from the sources of all tests; those that `carries` marks, too, which names what a job says by its path."""
    found: dict[str, list[Shown]] = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text()
        if "@answers(" in text or "@carries(" in text:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    for field in _marked(node):
                        found[field].append(Shown(file.relative_to(TESTS.parent), node.name, ""))
    return found


def at(path: str) -> str:
    """The field at a path in a CreateJob, "Outputs[].Rotate", or in a structure that is named: "Encryption.Mode"."""
    *above, member = path.replace("[]", "").split(".")
    shapes = model()["shapes"]
    structure = "CreateJobRequest"
    for step in above:
        inner = shapes[structure]["members"].get(step, {"shape": step})["shape"]
        structure = shapes[inner]["member"]["shape"] if shapes[inner]["type"] == "list" else inner
    return f"{structure}.{member}"


def _marked(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name):
            arguments = (ast.literal_eval(argument) for argument in decorator.args)
            if decorator.func.id == "answers":
                yield from (field for marked in arguments for field in spelled_out(marked))
            elif decorator.func.id == "carries":
                yield from map(at, arguments)


def _gather(shape: str, found: dict[str, list[str]]) -> None:
    told = model()["shapes"][shape]
    if told["type"] == "structure" and shape not in found:
        if told.get("members"):
            found[shape] = [*told["members"]]
        for member in told.get("members", {}).values():
            _gather(member["shape"], found)
    elif told["type"] == "list":
        _gather(told["member"]["shape"], found)
