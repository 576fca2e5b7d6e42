"""SQLite: statements on the event loop, commits in a thread, many operations to a commit.

A statement takes microseconds, and the interpreter's lock would have to change hands for each one that ran in a thread;
a commit waits for the disk, and does so without the lock while the next batch gathers.

All writes and checkpoints are on one connection, which also keeps clear of the WAL-reset bug of SQLite before 3.51.3 that
two writing connections can trigger. `synchronous=FULL`: what was acknowledged survives a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import structlog

from controlplane import metrics
from controlplane.store import guards, sql
from controlplane.store.batches import Batching, Waiting, foretell, gathered, operation_of
from controlplane.store.port import Call, Calls, Op, T
from shared.errors import StorageFull, TranscoderError, Unavailable

log = structlog.get_logger()

MAX_BATCH: Final = 64
_CACHED_STATEMENTS: Final = 256


class SqliteStore(Batching):
    """Raises Unavailable at opening when the file is of a newer release."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._queries = sql.queries(sql.SQLITE)
        self._lock = only_one(path)
        path.touch(mode=0o600)  # SQLite would let everybody read it, and makes its other files as this one is
        self._writer = _connect(path)
        _migrate(self._writer)
        self._reader = _connect(path, read_only=True)
        self._idle: sqlite3.Connection | None = self._writer
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._writing = asyncio.create_task(self._write_batches(), name="sqlite-writer")

    async def read(self, operation: Op[T]) -> T:
        """On the event loop: a point read takes less time than handing it to a thread would.

        Between transactions on the writing connection, whose cache is warm: the other one forgets its own at every commit.
        """
        try:
            return _run(self._idle or self._reader, self._queries, operation)
        except sqlite3.Error as error:
            raise _refusal(error) from error

    async def close(self) -> None:
        """After what was asked for before has been committed."""
        await self._finish_writing()
        self._committer.shutdown()
        self._reader.close()
        self._writer.close()
        os.close(self._lock)

    async def _write_batches(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            parcels = await gathered(self._pending, MAX_BATCH)
            batch = [waiting for parcel in parcels for waiting in parcel]
            began = perf_counter()
            results = self._execute(parcels)
            if not isinstance(results, sqlite3.Error):
                self._idle = None
                foretell(batch, results)
                failed = await loop.run_in_executor(self._committer, self._commit)
                self._idle = self._writer
                results = failed or results
                metrics.committed(len(batch), perf_counter() - began)
            self._done(batch, _refusal(results) if isinstance(results, sqlite3.Error) else results)

    def _execute(self, parcels: list[list[Waiting]]) -> list[Any] | sqlite3.Error:
        """Runs every operation under a savepoint of its own in one transaction; a result is a value or an exception."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            return [result for parcel in parcels for result in self._results(parcel)]
        except sqlite3.Error as error:
            self._roll_back()
            return error

    def _commit(self) -> sqlite3.Error | None:
        """In a thread: this is where the disk is waited for."""
        try:
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return error
        return None

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("ROLLBACK")

    def _results(self, parcel: list[Waiting]) -> Sequence[Any]:
        """What goes wrong together is done again one by one, so that only the guilty is refused."""
        results = self._run_one(operation_of(parcel))
        if not isinstance(results, Exception):
            return results  # type: ignore[no-any-return]
        if len(parcel) == 1:
            return [results]
        return [result for waiting in parcel for result in self._results([waiting])]

    def _run_one(self, operation: Op[Any]) -> Any:
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


def _run(connection: sqlite3.Connection, queries: Mapping[str, sql.Statement], operation: Op[T]) -> T:
    try:
        wanted = next(operation)
        while True:
            wanted = operation.send(_answer(connection, queries[wanted.query], wanted))
    except StopIteration as stop:
        result: T = stop.value
        return result


def _answer(
    connection: sqlite3.Connection, statement: sql.Statement, wanted: Call | Calls
) -> Sequence[Mapping[str, Any]]:
    if isinstance(wanted, Call):
        return _rows(connection.execute(statement.sql, wanted.params), wanted.query)
    if wanted.only_counted:
        return [{"changed": connection.executemany(statement.unanswered, wanted.each).rowcount}]
    if statement.answers:
        return [row for each in wanted.each for row in _rows(connection.execute(statement.sql, each), wanted.query)]
    connection.executemany(statement.sql, wanted.each)
    return ()


def _rows(cursor: sqlite3.Cursor, query: str) -> Sequence[Mapping[str, Any]]:
    """As dictionaries: sqlite3.Row looks for a column by comparing names one after the other."""
    found = cursor.fetchall()
    if not found:
        return found
    names = _columns.get(query)
    if names is None:
        names = _columns[query] = tuple(column[0] for column in cursor.description)
    return [dict(zip(names, row, strict=True)) for row in found]


_columns: Final[dict[str, tuple[str, ...]]] = {}
"""Of every statement that has answered with rows."""


def only_one(path: Path) -> int:
    """A lock that ends with the process: two writing processes would not be one writing connection."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Unavailable(f"Another process of this service has {path} open; stop it first.") from error
    return lock


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{path}{'?mode=ro' if read_only else ''}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
        timeout=5.0,
    )
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # every savepoint copies the pages that it changes: to memory, not to a file
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA wal_autocheckpoint = 16000")
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
    log.error("store.refused", error=str(error))
    return refusal
