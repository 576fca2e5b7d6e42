"""The state diagrams of `docs/architecture.md`, made from the transition tables: `python -m tests.lifecycle_diagrams`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from controlplane.domain.lifecycle import JOB_TRANSITIONS, TASK_TRANSITIONS, TERMINAL_JOBS, TERMINAL_TASKS

DOCUMENT = Path(__file__).parent.parent / "docs" / "architecture.md"
_PART = re.compile(r"(?<=lifecycle_diagrams` -->\n).*?(?=<!-- end -->)", re.DOTALL)


def diagrams() -> str:
    return "\n".join(
        f"```mermaid\n---\ntitle: {title}\n---\nstateDiagram-v2\n{_edges(table, terminal)}\n```\n"
        for title, table, terminal in (
            ("A job, and each of its outputs", JOB_TRANSITIONS, TERMINAL_JOBS),
            ("A task, as nodes see it", TASK_TRANSITIONS, TERMINAL_TASKS),
        )
    )


def with_diagrams(text: str) -> str:
    return _PART.sub(lambda _: diagrams(), text)


def _edges(table: Mapping[tuple[StrEnum, StrEnum], StrEnum], terminal: frozenset[StrEnum]) -> str:
    events: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (source, event), target in table.items():
        if source is not target:
            events[source, target].append(event)
    lines = [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in events.items()]
    return "\n".join(lines + [f"    {state} --> [*]" for state in sorted(terminal)])


if __name__ == "__main__":
    DOCUMENT.write_text(with_diagrams(DOCUMENT.read_text()))
