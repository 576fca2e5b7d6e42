"""Tables of actions, made from the catalogue and the operations of a dialect: `python -m tests.permission_tables`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path

from controlplane.dialects.elastictranscoder import OPERATIONS
from controlplane.domain.permissions import GRANTS, Action, Role

DOCS = Path(__file__).parent.parent / "docs"
_PART = re.compile(r"(?<=permission_tables` -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table() -> str:
    rows = ["| actions | " + " | ".join(f"`{role}`" for role in Role) + " |", "|---|" + "---|" * len(Role)]
    for noun, actions in groupby(Action, key=lambda action: action.noun):
        for verbs, holders in _alike(list(actions)):
            held = " | ".join("yes" if role in holders else "" for role in Role)
            rows.append(f"| `{noun}:` {', '.join(verbs)} | {held} |")
    return "\n".join(rows) + "\n"


def operations() -> str:
    """What a caller needs for each operation of Elastic Transcoder; those that need the same together."""
    rows = ["| action | operations |", "|---|---|"]
    for action in dict.fromkeys(operation.permission for operation in OPERATIONS):
        names = [f"`{operation.name}`" for operation in OPERATIONS if operation.permission is action]
        rows.append(f"| `{action}` | {', '.join(names)} |")
    return "\n".join(rows) + "\n"


DOCUMENTS: Mapping[Path, Callable[[], str]] = {DOCS / "access.md": table, DOCS / "elastictranscoder.md": operations}


def with_table(text: str, table: Callable[[], str]) -> str:
    return _PART.sub(lambda _: table(), text)


def _alike(actions: list[Action]) -> list[tuple[list[str], frozenset[Role]]]:
    """The verbs of one noun, together where the same roles hold them."""
    by_holders: dict[frozenset[Role], list[str]] = {}
    for action in actions:
        holders = frozenset(role for role in Role if action in GRANTS[role])
        by_holders.setdefault(holders, []).append(action.verb)
    return [(verbs, holders) for holders, verbs in by_holders.items()]


if __name__ == "__main__":
    for document, made in DOCUMENTS.items():
        document.write_text(with_table(document.read_text(), made))
