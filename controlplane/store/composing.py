"""One statement of PostgreSQL in the place of many: for every set of parameters at once, and for all that is done in a row.

A round trip costs more than most statements. What is asked for many times (`Calls`) takes its parameters as arrays, which are
rows of `each`; what changes something without an answer waits, and is sent together with what follows (`Pending`), as data-
modifying parts of one WITH. The parts of such a statement see nothing of each other, so only those go together that name
different tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from controlplane.store.sql import PARAMETER, Statement

Types = tuple[str, ...]
"""Of a statement's parameters, in their order."""

_VALUES: Final = "VALUES ("
_STATE: Final = re.compile(r"\b(state|status) IN \(")
_WORD: Final = re.compile(r"[()]|\bWHERE\b")


@dataclass(frozen=True)
class Step:
    """A statement with its parameters: one set, or, with the types of what they are, many."""

    statement: Statement
    each: Sequence[Mapping[str, Any]]
    types: Types | None = None

    @property
    def shape(self) -> tuple[Statement, Types | None]:
        return self.statement, self.types

    @property
    def arguments(self) -> list[Any]:
        if self.types is None:
            (params,) = self.each
            return [params[name] for name in self.statement.parameters]
        return [[params[name] for params in self.each] for name in self.statement.parameters]


@dataclass
class Pending:
    """Changes that wait to be sent."""

    steps: list[Step] = field(default_factory=list)
    _tables: set[str] = field(default_factory=set)

    def takes(self, step: Step) -> bool:
        """Whether it may go in one statement with them."""
        return self._tables.isdisjoint(step.statement.tables) and not step.statement.named.startswith("WITH")

    def add(self, step: Step) -> None:
        self.steps.append(step)
        self._tables |= step.statement.tables

    def taken(self) -> list[Step]:
        taken, self.steps, self._tables = self.steps, [], set()
        return taken


def composed(steps: Sequence[Step]) -> tuple[str, list[Any]]:
    """SQL that does all of them and answers with the rows of the last, and its arguments."""
    return _sql(tuple(step.shape for step in steps)), [argument for step in steps for argument in step.arguments]


@lru_cache(maxsize=4096)
def _sql(shapes: tuple[tuple[Statement, Types | None], ...]) -> str:
    parts, taken = [], 0
    for statement, types in shapes:
        parts.append(_numbered(statement, taken) if types is None else _for_each(statement, types, taken))
        taken += len(statement.parameters)
    *before, last = parts
    if not before:
        return last
    return f"WITH {', '.join(f'step{number} AS ({part})' for number, part in enumerate(before))} {last}"


def _numbered(statement: Statement, taken: int) -> str:
    names = statement.parameters
    return PARAMETER.sub(lambda match: f"${taken + names.index(match[1]) + 1}", statement.named)


def _for_each(statement: Statement, types: Types, taken: int) -> str:
    """The same for each row of `each`. Of SELECT, and of it alone, rows come in the order of what is asked."""
    arrays = ", ".join(f"${taken + number}::{kind}[]" for number, kind in enumerate(types, 1))
    columns = ", ".join(f"p_{name}" for name in statement.parameters)
    one = PARAMETER.sub(lambda match: f"each.p_{match[1]}", statement.named)
    if one.startswith("SELECT"):
        rows = f"unnest({arrays}) WITH ORDINALITY AS each ({columns}, nth)"
        return f"SELECT found.* FROM {rows} CROSS JOIN LATERAL ({one}) AS found ORDER BY each.nth"  # noqa: S608
    rows = f"unnest({arrays}) AS each ({columns})"
    if one.startswith("INSERT"):
        head, _, values = one.partition(_VALUES)
        end = _closing(values)
        return f"{head}SELECT {values[:end]} FROM {rows}{values[end + 1 :]}"  # noqa: S608
    one = _STATE.sub(r"(\1 || '') IN (", one)  # no index by state: each row is looked up by its key
    where = _outer_where(one)
    return f"{one[:where]}{'USING' if one.startswith('DELETE') else 'FROM'} {rows} {one[where:]}"


def _closing(opened: str) -> int:
    """Where the parenthesis closes that stood before this."""
    depth = 1
    for parenthesis in re.finditer(r"[()]", opened):
        depth += {"(": 1, ")": -1}[parenthesis[0]]
        if not depth:
            return parenthesis.start()
    raise ValueError(f"this parenthesis is never closed: ({opened}")


def _outer_where(change: str) -> int:
    depth = 0
    for word in _WORD.finditer(change):
        depth += {"(": 1, ")": -1}.get(word[0], 0)
        if word[0] == "WHERE" and not depth:
            return word.start()
    raise ValueError(f"this does not say which rows it changes: {change}")
