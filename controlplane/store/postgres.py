"""PostgreSQL: one writer that commits many operations together, and a pool for reads.

Operations that queue up while a commit is on its way to disk share the next one, so that a busy control plane pays for far
fewer commits than it acknowledges. `synchronous_commit` and `fsync` are checked at start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Final

import asyncpg
import structlog

from controlplane import metrics
from controlplane.store import dumping, guards, sql
from controlplane.store.batches import Batching, Waiting, foretell, let_in, operation_of, parcelled, taken
from controlplane.store.composing import Pending, Step, Types, composed
from controlplane.store.port import Call, Calls, Op, T
from shared.errors import TranscoderError, Unavailable

log = structlog.get_logger()

MAX_BATCH: Final = 128
_MIGRATING: Final = 7_340_211  # names an advisory lock: replicas that start together migrate one after the other
_WRITING: Final = 7_340_212  # and write one batch after the other: batches touch the same rows in any order
_BEGIN: Final = f"BEGIN; SELECT pg_advisory_xact_lock({_WRITING}); SAVEPOINT operation"
"""One way there and back for all three; each operation but the first moves the savepoint on."""
_SESSION: Final = {"plan_cache_mode": "force_generic_plan", "application_name": dumping.APPLICATION, "jit": "off"}
"""Every statement is made for one way through the indices, whatever it is asked for: none is planned again at each call."""
WRITING_SESSION: Final = {
    **_SESSION,
    **dict.fromkeys(("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_memoize"), "off"),
}
"""Rows are looked up one by one: what is planned while the tables are small must still be right when they are large."""
_STATEMENTS_KEPT: Final = 512
_RETRIED: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_LOST: Final = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError, OSError)
_REFUSED: Final = (*_LOST, asyncpg.PostgresError)


class PostgresStore(Batching):
    """Made by `open`."""

    def __init__(self, readers: asyncpg.Pool, writers: asyncpg.Pool) -> None:
        super().__init__()
        self._readers = readers
        self._writers = writers
        self._statements = _Statements()
        self._writing = asyncio.create_task(self._write_batches(), name="postgres-writer")

    @classmethod
    async def open(cls, dsn: str) -> PostgresStore:
        """Raises Unavailable when the server is away, unsafe, or of a newer release."""
        try:
            async with contextlib.AsyncExitStack() as opened:
                writers = await opened.enter_async_context(_pool(dsn, WRITING_SESSION, 2, 2))
                async with writers.acquire() as connection:
                    await _check_durability(connection)
                    await _migrate(connection)
                readers = await opened.enter_async_context(_pool(dsn, _SESSION, 1, 7))
                opened.pop_all()
        except (*_REFUSED, ValueError) as error:
            raise Unavailable(f"PostgreSQL cannot be used: {error}") from error
        return cls(readers, writers)

    async def read(self, operation: Op[T]) -> T:
        try:
            async with self._readers.acquire() as connection:
                return await self._statements.run(connection, operation)
        except _REFUSED as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """After what was asked for before has been committed."""
        await self._finish_writing()
        await self._readers.close()
        await self._writers.close()

    async def _write_batches(self) -> None:
        """Each transaction waits for its turn while the one before it is committed, and takes what has come meanwhile."""
        async with asyncio.TaskGroup() as commits:
            while True:
                batch = [await self._pending.get()]
                began = perf_counter()
                try:
                    transaction = await _Transaction.begin(self._writers, self._statements)
                except _REFUSED as error:
                    self._done([*batch, *taken(self._pending, MAX_BATCH - 1)], _unavailable(error))
                    continue
                batch += await let_in(self._pending, MAX_BATCH - 1)
                parcels = sorted(parcelled(batch), key=lambda parcel: parcel[0].together is not None)
                batch = [waiting for parcel in parcels for waiting in parcel]
                try:
                    results = await transaction.results(parcels)
                except _REFUSED as error:
                    await transaction.roll_back()
                    self._done(batch, _unavailable(error))
                    continue
                foretell(batch, results)
                commits.create_task(self._commit(transaction, batch, results, began))

    async def _commit(
        self, transaction: _Transaction, batch: list[Waiting], results: Sequence[Any], began: float
    ) -> None:
        try:
            await transaction.commit()
        except _REFUSED as error:
            await transaction.roll_back()
            self._done(batch, _unavailable(error))
        else:
            metrics.committed(len(batch), perf_counter() - began)
            self._done(batch, results)


class _Transaction:
    """One that has begun, with a savepoint to which it can go back."""

    def __init__(self, pool: asyncpg.Pool, connection: asyncpg.Connection, statements: _Statements) -> None:
        self._pool = pool
        self._connection = connection
        self._statements = statements
        self._is_saved = True

    @classmethod
    async def begin(cls, pool: asyncpg.Pool, statements: _Statements) -> _Transaction:
        connection = await pool.acquire()
        try:
            await connection.execute(_BEGIN)
        except BaseException:
            await _roll_back(connection)
            await pool.release(connection)
            raise
        return cls(pool, connection, statements)

    async def results(self, parcels: Sequence[Sequence[Waiting]]) -> Sequence[Any]:
        """A value or an exception for each of all, whose own operations stand before those that are shared.

        What is shared can be done again, so that it needs no savepoints while nothing goes wrong.
        """
        results = [result for parcel in parcels if parcel[0].operation for result in await self._results(parcel)]
        shared = [parcel for parcel in parcels if parcel[0].together]
        if len(shared) > 1:
            together = await self._run(_one_after_the_other(shared))
            if not isinstance(together, Exception):
                return [*results, *together]
        return results + [result for parcel in shared for result in await self._results(parcel)]

    async def _results(self, parcel: Sequence[Waiting]) -> Sequence[Any]:
        """What goes wrong together is done again one by one, so that only the guilty is refused."""
        results = await self._run(operation_of(parcel))
        if not isinstance(results, Exception):
            return results  # type: ignore[no-any-return]
        if len(parcel) == 1:
            return [results]
        return [result for waiting in parcel for result in await self._results([waiting])]

    async def _run(self, operation: Op[Any]) -> Any:
        if not self._is_saved:
            await self._connection.execute("RELEASE operation; SAVEPOINT operation")
        self._is_saved = False
        try:
            return await self._statements.run(self._connection, operation)
        except (*_LOST, *_RETRIED):
            raise
        except Exception as error:  # whatever it is, it belongs to the caller of this operation alone
            await self._connection.execute("ROLLBACK TO operation")
            self._is_saved = True
            return _unavailable(error) if isinstance(error, asyncpg.PostgresError) else error

    async def commit(self) -> None:
        await self._connection.execute("COMMIT")
        await self._pool.release(self._connection)

    async def roll_back(self) -> None:
        await _roll_back(self._connection)
        await self._pool.release(self._connection)


class _Statements:
    """Operations in as few round trips as their answers allow."""

    def __init__(self) -> None:
        self._queries = sql.queries(sql.POSTGRES)
        self._types: dict[str, Types] = {}

    async def run(self, connection: asyncpg.Connection, operation: Op[T]) -> T:
        pending = Pending()
        try:
            wanted = next(operation)
            while True:
                wanted = operation.send(await self._answer(connection, pending, wanted))
        except StopIteration as stop:
            result: T = stop.value
        await _send(connection, pending.taken())
        return result

    async def _answer(self, connection: asyncpg.Connection, pending: Pending, wanted: Call | Calls) -> Sequence[Any]:
        """What only changes something waits, until what follows has an answer or names the same tables."""
        if isinstance(wanted, Calls) and not wanted.each:
            return ()
        step = await self._step(connection, wanted)
        if not pending.takes(step):
            await _send(connection, pending.taken())
        if step.statement.answers:
            rows = await _send(connection, [*pending.taken(), step])
            return [{"changed": len(rows)}] if isinstance(wanted, Calls) and wanted.only_counted else rows
        pending.add(step)
        return ()

    async def _step(self, connection: asyncpg.Connection, wanted: Call | Calls) -> Step:
        statement = self._queries[wanted.query]
        if isinstance(wanted, Call):
            return Step(statement, [wanted.params])
        types = self._types.get(wanted.query)
        if types is None:
            prepared = await connection.prepare(statement.sql)
            types = self._types[wanted.query] = tuple(found.name for found in prepared.get_parameters())
        return Step(statement, wanted.each, types)


async def _send(connection: asyncpg.Connection, steps: Sequence[Step]) -> Sequence[Any]:
    if not steps:
        return ()
    statement, arguments = composed(steps)
    return await connection.fetch(statement, *arguments)  # type: ignore[no-any-return]


def _pool(dsn: str, session: Mapping[str, str], least: int, most: int) -> asyncpg.Pool:
    return asyncpg.create_pool(
        dsn,
        min_size=least,
        max_size=most,
        command_timeout=30,
        reset=_as_it_is,
        server_settings=session,
        statement_cache_size=_STATEMENTS_KEPT,
        max_cached_statement_lifetime=0,
    )


async def _as_it_is(_: asyncpg.Connection) -> None:
    """Nobody here changes anything of a session: to reset it would double the cost of every read."""


def _one_after_the_other(parcels: Sequence[Sequence[Waiting]]) -> Op[Sequence[Any]]:
    results: list[Any] = []
    for parcel in parcels:
        results += yield from operation_of(parcel)
    return results


async def _roll_back(connection: asyncpg.Connection) -> None:
    with contextlib.suppress(*_REFUSED):
        await connection.execute("ROLLBACK")


async def _check_durability(connection: asyncpg.Connection) -> None:
    for setting in ("fsync", "synchronous_commit"):
        value = await connection.fetchval(f"SHOW {setting}")
        if value == "off":
            raise Unavailable(f"PostgreSQL would not keep what it acknowledges: {setting} is off.")


async def _migrate(connection: asyncpg.Connection) -> None:
    """Brings the schema to this release, all in one transaction."""
    steps = sql.migrations(sql.POSTGRES)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATING)
        await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        version = await connection.fetchval("SELECT MAX(version) FROM schema_version") or 0
        if version > max(steps):
            raise Unavailable(f"The database is of a newer release (schema {version}); this one knows {max(steps)}.")
        for number in sorted(steps):
            if number > version:
                for statement in steps[number]:
                    await connection.execute(statement)
                await connection.execute("INSERT INTO schema_version (version) VALUES ($1)", number)
        for statement in guards.statements(sql.POSTGRES):
            await connection.execute(statement)


def _unavailable(error: BaseException) -> TranscoderError:
    refusal = Unavailable("The database refused.", retry_after=1)
    refusal.__cause__ = error
    log.error("store.refused", error=str(error))
    return refusal
