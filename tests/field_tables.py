"""The tables of `docs/fields.md`, made from the models and the tests' marks: `python -m tests.field_tables`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fields import Shown, answers, fields, is_shown, marks

DOCUMENT = Path(__file__).parent.parent / "docs" / "fields.md"
HEAD = """# Fields of a job, and the tests that show them

<!-- made by `python -m tests.field_tables` -->

Every field of the job document either does what is said here, which the named tests show by what came of it, decoded by other means
than those that made it, or a job that has it is refused with an error that names it. What is common to inline settings and presets
is below `settings`, what is common to all kinds of encrypted objects below `encryption`. Values and defaults are in
[settings.md](settings.md), limits and differences from Elastic Transcoder in [jobs/](jobs/).
"""


def document() -> str:
    shown = marks()
    asked, answered = _table(fields(), shown), _table(answers(), shown)
    return f"{HEAD}\n## What is asked for\n\n{asked}\n\n## What is answered besides\n\n{answered}\n"


def _table(described: Mapping[str, str], shown: Mapping[str, Sequence[Shown]]) -> str:
    rows = [f"| `{path}` | {text} | {_tests(path, shown)} |" for path, text in described.items()]
    return "| field | | shown by |\n|---|---|---|\n" + "\n".join(rows)


def _tests(path: str, shown: Mapping[str, Sequence[Shown]]) -> str:
    if path in shown:
        return "; ".join(map(_link, shown[path]))
    return "what is in it" if is_shown(path, shown) else "–"


def _link(shown: Shown) -> str:
    sentence = shown.test.removeprefix("test_").replace("_", " ")
    value = f"`{shown.value}`: " if shown.value else ""
    return f"{value}[{sentence}](../{shown.file})"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
