"""A SQLite database beside the process that serves from it: looked at and copied, never written.

SQLite lets readers of other processes in at any time, and writers never wait for them. What must not be is a second
connection that writes or checkpoints.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from controlplane.store import sql
from controlplane.store.port import Call, Op, T
from shared.errors import Unavailable


class Beside:
    """Reads what is committed. Raises Unavailable when there is no such database."""

    def __init__(self, path: Path) -> None:
        self._queries = sql.queries(sql.SQLITE)
        self._connection = _reading(path)

    async def read(self, operation: Op[T]) -> T:
        """Every statement sees what is committed by then."""
        try:
            wanted = next(operation)
            while True:
                statement = self._queries[wanted.query].sql
                each = [wanted.params] if isinstance(wanted, Call) else wanted.each
                rows = [row for params in each for row in self._connection.execute(statement, params)]
                wanted = operation.send(rows)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except sqlite3.Error as error:
            raise Unavailable(f"The database cannot be read: {error}.") from error

    async def close(self) -> None:
        self._connection.close()


def copy(source: Path, target: Path) -> int:
    """The database as it is at one moment, in a file of its own; its schema's number.

    All pages are read in one transaction: in steps, each commit of the service would make the copy begin anew. Raises
    Unavailable when the source cannot be read, or the copy is not whole.
    """
    try:
        with closing(_reading(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing, pages=-1)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, until it is opened as a database again
            (state,) = writing.execute("PRAGMA quick_check").fetchone()
            if state != "ok":
                raise Unavailable(f"The copy of {source} is damaged: {state}.")
            (schema,) = writing.execute("PRAGMA user_version").fetchone()
            return int(schema)
    except sqlite3.Error as error:
        raise Unavailable(f"{source} cannot be copied: {error}.") from error


def _reading(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise Unavailable(f"There is no database {path}.")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    connection.row_factory = sqlite3.Row
    return connection
