"""Reads the SQL sources and puts in what differs between databases and what the lifecycle tables say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from itertools import combinations
from typing import Final

from controlplane.domain.lifecycle import JobEvent, TaskEvent, job_sources, task_sources
from shared.statuses import JobStatus


@dataclass(frozen=True)
class Dialect:
    """The little that the databases do not share."""

    name: str
    serial: str
    by_bytes: str
    """Sorts a column by its bytes, whatever the database's language."""


SQLITE: Final = Dialect("sqlite", serial="INTEGER PRIMARY KEY", by_bytes="COLLATE BINARY")
POSTGRES: Final = Dialect("postgres", serial="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", by_bytes='COLLATE "C"')

JOB_FILTERS: Final = ("status", "pipeline_id", "cluster_id")
"""What job lists can be narrowed by; every combination is a statement of its own, made at start."""

_DIRECTIONS: Final = {
    "jobs_ascending": ("id > :after", "ORDER BY id LIMIT"),
    "jobs_descending": ("id > :oldest AND id < :after", "ORDER BY id DESC LIMIT"),
}
"""Where a page begins, and its order."""
_SPAN: Final = (
    "SELECT COUNT(*) AS looked, SUM(j.size) AS size, MIN(j.id) AS first, MAX(j.id) AS last "
    "FROM {ids} page JOIN jobs j ON j.id = page.id"
)
_MOST: Final = 1001
"""No page takes more ids, nor a search."""
_NOTED: Final = "j.document LIKE '%' || :noted || '%' ESCAPE '!'"

_NAMED = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_HOLE = re.compile(r"\{([\w:]+)\}")
_TABLE = re.compile(r"CREATE TABLE (\w+)")
PARAMETER: Final = re.compile(r"(?<!:):(\w+)")


@dataclass(frozen=True, eq=False)
class Statement:
    sql: str
    parameters: tuple[str, ...]  # in the order of $1, $2, …
    answers: bool  # with rows
    named: str
    """With its parameters by name."""
    tables: frozenset[str]
    """Those that it names."""

    @cached_property
    def unanswered(self) -> str:
        """The same without rows."""
        return self.sql.partition("RETURNING")[0]


def queries(dialect: Dialect) -> Mapping[str, Statement]:
    """Every named query of `queries.sql`, ready for a database."""
    parts = _NAMED.split(_source("queries.sql"))
    named = dict(zip(parts[1::2], parts[2::2], strict=True))
    for direction, (start, order) in _DIRECTIONS.items():
        template = named.pop(direction)
        for fields in _combinations():
            name = direction + _suffix(fields)
            looked_at = _fitting(_ids(fields, start, f"{order} :looked_at", dialect), order, room=":looked_room")
            such = f"(SELECT j.id FROM {looked_at} looked JOIN jobs j ON j.id = looked.id WHERE {_NOTED})"  # noqa: S608
            shown = _fitting(_ids(fields, start, f"{order} :size", dialect), order, room=":room")
            named[name] = template.replace("{ids}", shown)
            named[f"matching_{name}"] = template.replace("{ids}", _fitting(such, order, room=":room"))
            named[f"span_of_{name}"] = _SPAN.replace("{ids}", looked_at)
    tables = {table for name in _migrations() for table in _TABLE.findall(_source(name))}
    return {name: _statement(_filled(_bare(sql), dialect), dialect, tables) for name, sql in named.items()}


def migrations(dialect: Dialect) -> Mapping[int, list[str]]:
    """The statements of every migration by its number; forward only, never edited once released."""
    return {
        int(name.removeprefix("migrations/").split("_", 1)[0]): [
            statement.replace("{serial}", dialect.serial).replace("{by_bytes}", dialect.by_bytes).replace("{{}}", "{}")
            for statement in _bare(_source(name)).split(";")
            if statement.strip()
        ]
        for name in _migrations()
    }


def filter_name(wanted: Mapping[str, str | None]) -> str:
    """The suffix of the list query that narrows by just these fields."""
    return _suffix([field for field in JOB_FILTERS if wanted.get(field) is not None])


def _combinations() -> list[tuple[str, ...]]:
    return [fields for count in range(len(JOB_FILTERS) + 1) for fields in combinations(JOB_FILTERS, count)]


def _suffix(fields: Sequence[str]) -> str:
    return "".join(f"_by_{field}" for field in fields)


def _ids(fields: Sequence[str], start: str, order: str, dialect: Dialect) -> str:
    """A page's ids, as a table. Indices by pipeline and cluster have the status in them, between the filters and the id:
    where none is asked for, the pages of every status are merged. No list reads rows that it does not show."""
    if not fields or "status" in fields:
        return _page(fields, start, order, dialect)
    pages = [_page([*fields, f"status = '{status}'"], start, order, dialect) for status in JobStatus]
    tables = [f"SELECT id FROM {page} of_{status.lower()}" for status, page in zip(JobStatus, pages, strict=True)]  # noqa: S608
    return f"(SELECT id FROM ({' UNION ALL '.join(tables)}) merged {order})"  # noqa: S608


def _fitting(ids: str, order: str, *, room: str) -> str:
    """Those ids of a table, in their order, whose jobs are not too large together; one at least."""
    by_id = order.removesuffix(" LIMIT")
    before = f"SUM(j.size) OVER ({by_id.replace('id', 'j.id')} ROWS UNBOUNDED PRECEDING) - j.size AS before"
    summed = f"SELECT j.id, {before} FROM {ids} listed JOIN jobs j ON j.id = listed.id"  # noqa: S608
    return f"(SELECT id FROM ({summed}) summed WHERE before < {room})"  # noqa: S608


def _page(fields: Sequence[str], start: str, order: str, dialect: Dialect) -> str:
    """Names and states are our own.

    PostgreSQL plans for a tenth of a table where a parameter says how much of it is wanted: it is told a number as well.
    """
    conditions = [field if "=" in field else f"{field} = :{field}" for field in ("tenant_id", *fields)]
    found = f"SELECT id FROM jobs WHERE {' AND '.join(conditions)} AND {start}"  # noqa: S608
    if dialect is SQLITE:
        return f"({found} {order})"
    by_id, _, _ = order.partition(" LIMIT")
    return f"(SELECT id FROM ({found} {by_id} LIMIT {_MOST}) first {order})"  # noqa: S608


def _migrations() -> list[str]:
    folder = resources.files("controlplane.store") / "migrations"
    return sorted(f"migrations/{entry.name}" for entry in folder.iterdir() if entry.name.endswith(".sql"))


def _source(name: str) -> str:
    return (resources.files("controlplane.store") / name).read_text(encoding="utf-8")


def _bare(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()


def _filled(sql: str, dialect: Dialect) -> str:
    return _HOLE.sub(lambda hole: _fill(hole[1], dialect), sql)


def _fill(hole: str, dialect: Dialect) -> str:
    kind, _, event = hole.partition(":")
    if kind == "task":
        return ", ".join(sorted(f"'{state}'" for state in task_sources(TaskEvent(event))))
    if kind == "job":
        return ", ".join(sorted(f"'{status}'" for status in job_sources(JobEvent(event))))
    raise KeyError(f"{hole} is nothing that a query may leave open")


def _statement(named: str, dialect: Dialect, tables: Set[str]) -> Statement:
    parameters = tuple(dict.fromkeys(PARAMETER.findall(named)))
    words = frozenset(re.findall(r"\w+", PARAMETER.sub("", named)))
    return Statement(
        sql=named if dialect is SQLITE else PARAMETER.sub(lambda match: f"${parameters.index(match[1]) + 1}", named),
        parameters=parameters,
        answers=named.startswith(("SELECT", "WITH")) or "RETURNING" in named,
        named=named,
        tables=words & tables,
    )
