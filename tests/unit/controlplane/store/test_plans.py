"""What grows without end is never read from one end to the other."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from controlplane.store import sql
from controlplane.store.sqlite import _migrate

GROWING = ("jobs", "tasks", "events", "audit", "attempt_logs", "idempotency", "usage", "deliveries")
ONCE = {"fence_restored"}
"""Run by hand, with the service stopped."""


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _migrate(connection)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", sorted(sql.queries(sql.SQLITE).keys() - ONCE))
def test_a_statement_reads_no_growing_table_without_an_index(name: str, database: sqlite3.Connection) -> None:
    statement = sql.queries(sql.SQLITE)[name]
    explained = database.execute(f"EXPLAIN QUERY PLAN {statement.sql}", dict.fromkeys(statement.parameters, 0))
    steps = [row[3] for row in explained]
    aliases = re.findall(rf"\b({'|'.join(GROWING)})(?: AS)? ([a-z])\b", statement.sql)
    names = {*GROWING, *(alias for table, alias in aliases)}
    assert not [step for step in steps if (scan := re.fullmatch(r"SCAN (\w+)", step)) and scan[1] in names]


@pytest.mark.parametrize("name", ["bucket_at", "bucket_below"])
def test_a_new_bucket_s_neighbours_are_found_by_an_index(name: str, database: sqlite3.Connection) -> None:
    statement = sql.queries(sql.SQLITE)[name]
    explained = database.execute(f"EXPLAIN QUERY PLAN {statement.sql}", dict.fromkeys(statement.parameters, ""))
    assert ["buckets_by_root" in row[3] for row in explained] == [True]


def test_no_statement_is_prepared_anew_whenever_a_pattern_is_bound() -> None:
    """Alone behind LIKE, a parameter may turn the way through the indices: SQLite makes the statement anew for each."""
    assert [name for name, statement in sql.queries(sql.SQLITE).items() if re.search(r"LIKE :", statement.sql)] == []
