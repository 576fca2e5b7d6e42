"""Which fields of a job a test shows at work: `docs/fields.md` is made from these marks.

A path is as in the document: "outputs[].rotate", "settings.video.bit_rate"; one value of a field is "playlists[].format=HLSv4".
What stands at several places is named once: see `AT`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel

from controlplane.api.views import JobView
from shared.jobspec import JobDocument, Settings
from shared.jobspec.captions import CaptionSource
from shared.jobspec.encryption import Decryption, Encryption
from shared.models import Sent

AT: Final[Mapping[type[BaseModel], str]] = {
    Settings: "settings",
    Encryption: "encryption",
    Decryption: "encryption",
    CaptionSource: "inputs[].captions.sources[]",
}
TESTS: Final = Path(__file__).parent


def shows(*fields: str) -> pytest.MarkDecorator:
    return pytest.mark.shows(*fields)


@dataclass(frozen=True)
class Shown:
    """A test that shows a field, or one value of it."""

    file: Path
    test: str
    value: str


def fields() -> dict[str, str]:
    """Every field of the job document by its path, with its description; those at several places once, at the end."""
    found = dict(_of(JobDocument, ""))
    for model, path in AT.items():
        found |= {field: text for field, text in _of(model, f"{path}.") if field not in found}
    return found


def answers() -> dict[str, str]:
    """What a job is answered with besides, in the same way; what is no part of a document is shown whole."""
    sent = fields()
    return {path: text for path, text in _of(JobView, "") if path not in sent}


def is_shown(path: str, known: Collection[str]) -> bool:
    """By a mark of its own or of something in it."""
    return path in known or any(one.startswith((f"{path}.", f"{path}[].")) for one in known)


def _of(model: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        models = list(_models(field.annotation))
        yield f"{path}{name}", field.description or " ".join(_about(inner) for inner, _ in models)
        for inner, is_many in models:
            if inner not in AT and issubclass(inner, Sent):
                yield from _of(inner, f"{path}{name}{'[]' if is_many else ''}.")


def _about(model: type[BaseModel]) -> str:
    """The first paragraph of its docstring, its own and not that of a base."""
    return " ".join((vars(model).get("__doc__") or "").split("\n\n")[0].split())


def _models(annotation: Any, *, is_many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, is_many
    for inner in get_args(annotation):
        yield from _models(inner, is_many=is_many or getattr(annotation, "__origin__", None) in (list, tuple))


def marks() -> dict[str, list[Shown]]:
    """Read from the sources of all tests: by path, without value."""
    found: dict[str, list[Shown]] = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text()
        if "@shows(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for told in _told(node):
                    path, _, value = told.partition("=")
                    found[path.removesuffix("[]")].append(Shown(file.relative_to(TESTS.parent), node.name, value))
    return found


def _told(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "shows":
            yield from map(ast.literal_eval, mark.args)
