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
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import structlog

from controlplane import metrics
from controlplane.store import guards, sql
from controlplane.store.port import Call, Op, T
from shared.errors import StorageFull, TranscoderError, Unavailable

log = structlog.get_logger()

MAX_BATCH: Final = 64
LET_IN: Final = 2
"""Turns of the event loop that a batch waits for more."""
_CACHED_STATEMENTS: Final = 256


class _Waiting(NamedTuple):
    operation: Generator[Call, Any, Any]
    future: asyncio.Future[Any]
    then: Callable[[Any], None] | None


class SqliteStore:
    """Raises Unavailable at opening when the file is of a newer release."""

    def __init__(self, path: Path) -> None:
        self._queries = sql.queries(sql.SQLITE)
        self._lock = only_one(path)
        path.touch(mode=0o600)  # SQLite would let everybody read it, and makes its other files as this one is
        self._writer = _connect(path)
        _migrate(self._writer)
        self._reader = _connect(path, read_only=True)
        self._idle: sqlite3.Connection | None = self._writer
        self._pending: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._writing = asyncio.create_task(self._write_batches(), name="sqlite-writer")

    async def write(self, operation: Op[T], then: Callable[[T], None] | None = None) -> T:
        if self._writing.done():
            raise Unavailable("The database is closed.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.put_nowait(_Waiting(operation, future, then))
        return await future

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
        await self._pending.join()
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)
        self._committer.shutdown()
        self._reader.close()
        self._writer.close()
        os.close(self._lock)

    async def _write_batches(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._gathered()
            began = perf_counter()
            results = self._execute(batch)
            if not isinstance(results, sqlite3.Error):
                self._idle = None
                failed = await loop.run_in_executor(self._committer, self._commit)
                self._idle = self._writer
                results = failed or results
                metrics.committed(len(batch), perf_counter() - began)
            _resolve(batch, [_refusal(results)] * len(batch) if isinstance(results, sqlite3.Error) else results)
            for _ in batch:
                self._pending.task_done()

    async def _gathered(self) -> list[_Waiting]:
        """The next batch: whatever waits, and what the event loop brings in meanwhile.

        A commit costs as much for one operation as for many, so callers that are about to ask are let in, but not for
        long: a busy loop always brings more.
        """
        batch = [await self._pending.get()]
        for _ in range(LET_IN):
            await asyncio.sleep(0)
            came = min(self._pending.qsize(), MAX_BATCH - len(batch))
            batch += [self._pending.get_nowait() for _ in range(came)]
            if not came:
                break
        return batch

    def _execute(self, batch: list[_Waiting]) -> list[Any] | sqlite3.Error:
        """Runs every operation under a savepoint of its own in one transaction; a result is a value or an exception."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            return [self._run_one(waiting.operation) for waiting in batch]
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
            wanted = operation.send(_rows(connection.execute(queries[wanted.query].sql, wanted.params), wanted.query))
    except StopIteration as stop:
        result: T = stop.value
        return result


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


def _resolve(batch: list[_Waiting], results: list[Any]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        refused = isinstance(result, BaseException)
        if waiting.then is not None and not refused:
            waiting.then(result)
        if waiting.future.done():
            continue  # its caller went away; what was committed stays
        if refused:
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)


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
