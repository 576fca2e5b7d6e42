"""SQLite: one writer thread that commits many operations together, and reads on the caller's thread.

All writes and checkpoints are on one connection, which also keeps clear of the WAL-reset bug of SQLite before 3.51.3 that
two writing connections can trigger. `synchronous=FULL`: what was acknowledged survives a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from controlplane.store import guards, sql
from controlplane.store.port import Call, Op, T
from shared.errors import StorageFull, TranscoderError, Unavailable

MAX_BATCH: Final = 256
_CACHED_STATEMENTS: Final = 256


class _Waiting(NamedTuple):
    operation: Generator[Call, Any, Any]
    future: asyncio.Future[Any]


class SqliteStore:
    """Raises Unavailable at opening when the file is of a newer release."""

    def __init__(self, path: Path) -> None:
        self._queries = sql.queries(sql.SQLITE)
        self._path = path
        self._writer = _connect(path)
        _migrate(self._writer)
        self._reader = _connect(path, read_only=True)
        self._loop = asyncio.get_running_loop()
        self._pending: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_batches, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def write(self, operation: Op[T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._pending.put(_Waiting(operation, future))
        return await future

    async def read(self, operation: Op[T]) -> T:
        """On the event loop: a point read takes less time than handing it to a thread would."""
        try:
            return _run(self._reader, self._queries, operation)
        except sqlite3.Error as error:
            raise _refusal(error) from error

    async def close(self) -> None:
        self._pending.put(None)
        await asyncio.to_thread(self._thread.join)
        self._reader.close()
        self._writer.close()

    def _write_batches(self) -> None:
        while (first := self._pending.get()) is not None:
            batch = [first]
            last = False
            with contextlib.suppress(queue.Empty):
                while len(batch) < MAX_BATCH:
                    item = self._pending.get_nowait()
                    if item is None:
                        last = True
                        break
                    batch.append(item)
            results = self._commit(batch)
            self._loop.call_soon_threadsafe(_resolve, batch, results)
            if last:
                return

    def _commit(self, batch: list[_Waiting]) -> list[Any]:
        """Runs every operation under a savepoint of its own in one transaction; a result is a value or an exception."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            results = [self._run_one(waiting.operation) for waiting in batch]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")
            return [_refusal(error)] * len(batch)
        return results

    def _run_one(self, operation: Generator[Call, Any, Any]) -> Any:
        self._writer.execute("SAVEPOINT operation")
        try:
            result = _run(self._writer, self._queries, operation)
        except Exception as error:  # whatever it is, it belongs to the caller of this operation alone
            if not self._writer.in_transaction:
                raise
            self._writer.execute("ROLLBACK TO operation")
            self._writer.execute("RELEASE operation")
            return _refusal(error) if isinstance(error, sqlite3.Error) else error
        self._writer.execute("RELEASE operation")
        return result


def _run(connection: sqlite3.Connection, queries: Mapping[str, sql.Statement], operation: Generator[Call, Any, T]) -> T:
    try:
        wanted = next(operation)
        while True:
            rows = connection.execute(queries[wanted.query].sql, wanted.params).fetchall()
            wanted = operation.send(rows)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _resolve(batch: list[_Waiting], results: list[Any]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.future.done():
            continue  # its caller went away; what was committed stays
        if isinstance(result, BaseException):
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{path}{'?mode=ro' if read_only else ''}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
        timeout=5.0,
    )
    connection.row_factory = sqlite3.Row
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if (mode, level) != ("wal", 2):
            raise Unavailable(f"SQLite would not keep what it acknowledges: journal_mode={mode}, synchronous={level}.")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    """Brings the schema to this release, each migration in one transaction."""
    steps = sql.migrations(sql.SQLITE)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > max(steps):
        raise Unavailable(f"The database is of a newer release (schema {version}); this one knows {max(steps)}.")
    for number in sorted(steps):
        if number > version:
            connection.execute("BEGIN IMMEDIATE")
            for statement in steps[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    for statement in guards.statements(sql.SQLITE):
        connection.execute(statement)
    connection.execute("COMMIT")


def _refusal(error: Exception) -> TranscoderError:
    refusal: TranscoderError
    if "full" in str(error) or "disk I/O" in str(error):
        refusal = StorageFull("The control plane's disk takes no more.", retry_after=10)
    else:
        refusal = Unavailable("The database refused.", retry_after=1)
    refusal.__cause__ = error
    return refusal
