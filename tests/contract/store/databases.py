"""The databases under test, and a way around the store: what a bug or a person with a prompt could do."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from controlplane.store.port import Store
from controlplane.store.postgres import PostgresStore
from controlplane.store.sqlite import SqliteStore


class Refused(Exception):
    """The database itself said no."""


class Database(Protocol):
    async def open(self) -> Store: ...

    async def sql(self, statement: str) -> Sequence[dict[str, Any]]:
        """Raises Refused."""
        ...


class SqliteDatabase:
    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self) -> Store:
        return SqliteStore(self.path)

    async def sql(self, statement: str) -> Sequence[dict[str, Any]]:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(statement)]
            except sqlite3.IntegrityError as error:
                raise Refused(str(error)) from error


class PostgresDatabase:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def open(self) -> Store:
        return await PostgresStore.open(self.dsn)

    async def sql(self, statement: str) -> Sequence[dict[str, Any]]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return [dict(row) for row in await connection.fetch(statement)]
        except (asyncpg.RaiseError, asyncpg.IntegrityConstraintViolationError) as error:
            raise Refused(str(error)) from error
        finally:
            await connection.close()
