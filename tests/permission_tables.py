"""The table of actions in `docs/access.md`, made from the catalogue: `python -m tests.permission_tables`."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from controlplane.domain.permissions import GRANTS, Action, Role

DOCUMENT = Path(__file__).parent.parent / "docs" / "access.md"
_PART = re.compile(r"(?<=permission_tables` -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table() -> str:
    rows = ["| actions | " + " | ".join(f"`{role}`" for role in Role) + " |", "|---|" + "---|" * len(Role)]
    for noun, actions in groupby(Action, key=lambda action: action.noun):
        for verbs, holders in _alike(list(actions)):
            held = " | ".join("yes" if role in holders else "" for role in Role)
            rows.append(f"| `{noun}:` {', '.join(verbs)} | {held} |")
    return "\n".join(rows) + "\n"


def with_table(text: str) -> str:
    return _PART.sub(lambda _: table(), text)


def _alike(actions: list[Action]) -> list[tuple[list[str], frozenset[Role]]]:
    """The verbs of one noun, together where the same roles hold them."""
    by_holders: dict[frozenset[Role], list[str]] = {}
    for action in actions:
        holders = frozenset(role for role in Role if action in GRANTS[role])
        by_holders.setdefault(holders, []).append(action.verb)
    return [(verbs, holders) for holders, verbs in by_holders.items()]


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
