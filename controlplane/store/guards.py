"""Triggers that refuse edges which the lifecycle tables do not have, whatever a query may say. Made anew at every start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controlplane.domain.lifecycle import JOB_TRANSITIONS, TASK_TRANSITIONS
from controlplane.store.sql import SQLITE, Dialect

FUNCTIONS: Final = ("tasks_edges", "jobs_edges")
"""What the triggers call, in PostgreSQL."""


def statements(dialect: Dialect) -> list[str]:
    tasks = {f"{source}>{target}" for (source, _), target in TASK_TRANSITIONS.items()}
    jobs = {f"{source}>{target}" for (source, _), target in JOB_TRANSITIONS.items()}
    make = _sqlite if dialect is SQLITE else _postgres
    return make("tasks", "state", tasks) + make("jobs", "status", jobs)


def _sqlite(table: str, column: str, edges: Iterable[str]) -> list[str]:
    return [
        f"DROP TRIGGER IF EXISTS {table}_edges",
        f"""CREATE TRIGGER {table}_edges BEFORE UPDATE OF {column} ON {table}
              WHEN OLD.{column} <> NEW.{column} AND OLD.{column} || '>' || NEW.{column} NOT IN ({_listed(edges)})
             BEGIN SELECT RAISE(ABORT, 'no such edge in {table}.{column}'); END""",
    ]


def _postgres(table: str, column: str, edges: Iterable[str]) -> list[str]:
    return [
        f"""CREATE OR REPLACE FUNCTION {table}_edges() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no such edge in {table}.{column}: % > %', OLD.{column}, NEW.{column}; END $$""",
        f"""CREATE OR REPLACE TRIGGER {table}_edges BEFORE UPDATE OF {column} ON {table} FOR EACH ROW
              WHEN (OLD.{column} <> NEW.{column} AND OLD.{column} || '>' || NEW.{column} NOT IN ({_listed(edges)}))
              EXECUTE FUNCTION {table}_edges()""",
    ]


def _listed(edges: Iterable[str]) -> str:
    return ", ".join(f"'{edge}'" for edge in sorted(edges))
