"""Copies of a PostgreSQL database, made and loaded by PostgreSQL's own programs beside the services that use it.

What they are to connect to, the password included, they are told in their environment, which is their owner's alone to read.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from controlplane.store import guards
from shared.errors import Unavailable

APPLICATION: Final = "transcoder"
"""As which services present themselves."""
_DEBIAN: Final = Path("/usr/lib/postgresql")
_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
}


async def dump(dsn: str, target: Path) -> int:
    """The service's tables as they are at one moment, in one file; the number of their schema. Raises Unavailable."""
    program = _program("pg_dump")
    connection = await _connected(dsn)
    try:
        schema, number = await _schema(connection), await _number(connection)
    finally:
        await connection.close()
    if number is None:
        raise Unavailable("There is no database of this service yet: it is made at the first start.")
    only = ("--format=custom", "--no-owner", "--no-privileges", f"--schema={schema}", f"--file={target}")
    await _run([program, *only], dsn)
    return number


async def load(dsn: str, source: Path, *, replace: bool) -> str | None:
    """Puts what was dumped in the place of the service's tables; the schema into which those went that were there.

    All of it or nothing. Raises Unavailable, also while a service uses the database.
    """
    program = _program("pg_restore")
    connection = await _connected(dsn)
    try:
        await _check_unused(connection)
        schema = await _schema(connection)
        aside = await _set_aside(connection, schema, replace=replace)
        wanted = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", f"--schema={schema}")
        try:
            await _run([program, *wanted, f"--dbname={_environment(dsn).get('PGDATABASE', '')}", str(source)], dsn)
            if await _number(connection) is None:
                raise Unavailable(f"The backup has nothing for the schema {schema!r}, which `database` names.")
        except BaseException:
            await _put_back(connection, schema, aside)
            raise
    finally:
        await connection.close()
    return aside


def _program(name: str) -> str:
    """The newest there is: an older one reads no database of a newer server."""
    newest = max(_DEBIAN.glob(f"*/bin/{name}"), key=_release, default=None)
    found = str(newest) if newest else shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is missing: install PostgreSQL's client programs (Debian: postgresql-client).")
    return found


def _release(program: Path) -> int:
    release = program.parts[-3]
    return int(release) if release.isdecimal() else 0


def _environment(dsn: str) -> dict[str, str]:
    """What libpq reads. Of the query only what it has a variable for: the rest are settings of a session."""
    parts = urlsplit(dsn)
    login, _, places = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    hosts, ports = zip(*(_place(place) for place in places.split(",")), strict=True)
    told = {"user": user, "password": password, "dbname": parts.path.removeprefix("/")}
    told |= {"host": ",".join(hosts), "port": ",".join(ports) if any(ports) else ""}
    given = {name: unquote(value) for name, value in told.items() if value} | dict(parse_qsl(parts.query))
    return {_VARIABLES[name]: value for name, value in given.items() if name in _VARIABLES}


def _place(text: str) -> tuple[str, str]:
    """Host and port; an IPv6 address stands in brackets."""
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    return (host if colon else text).strip("[]"), port if colon else ""


async def _run(command: list[str], dsn: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env=kept | _environment(dsn),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Unavailable(f"{Path(command[0]).name} failed: {last}")


async def _connected(dsn: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(dsn)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise Unavailable(f"PostgreSQL cannot be used: {error}") from error


async def _schema(connection: asyncpg.Connection) -> str:
    name = await connection.fetchval("SELECT current_schema()")
    if name is None:
        raise Unavailable("The database has no schema that `database` could mean.")
    return str(name)


async def _number(connection: asyncpg.Connection) -> int | None:
    """Of the schema that the service made here, if it did."""
    if await connection.fetchval("SELECT to_regclass(format('%I.schema_version', current_schema()))") is None:
        return None
    number: int | None = await connection.fetchval("SELECT MAX(version) FROM schema_version")
    return number


async def _check_unused(connection: asyncpg.Connection) -> None:
    others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
    if await connection.fetchval(others, APPLICATION):
        raise Unavailable("A service uses this database; stop every one first.")


async def _set_aside(connection: asyncpg.Connection, schema: str, *, replace: bool) -> str | None:
    """Where the tables of a service went that were there."""
    if await _number(connection) is None:
        return None
    if not replace:
        raise Unavailable("There are tables of a service in the database already; --replace puts them aside.")
    aside: str = await connection.fetchval(
        "SELECT 'replaced_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')"
    )
    async with connection.transaction():
        await connection.execute(f'CREATE SCHEMA "{aside}"')
        await _move(connection, schema, aside)
    return aside


async def _put_back(connection: asyncpg.Connection, schema: str, aside: str | None) -> None:
    if aside is not None:
        async with connection.transaction():
            await _move(connection, aside, schema)
            await connection.execute(f'DROP SCHEMA "{aside}"')


async def _move(connection: asyncpg.Connection, source: str, target: str) -> None:
    """Tables with all that is theirs, views of them, and the functions of their triggers."""
    for table in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", source):
        await connection.execute(f'ALTER TABLE "{source}"."{table["tablename"]}" SET SCHEMA "{target}"')
    for view in await connection.fetch("SELECT viewname FROM pg_views WHERE schemaname = $1", source):
        await connection.execute(f'ALTER VIEW "{source}"."{view["viewname"]}" SET SCHEMA "{target}"')
    for name in guards.FUNCTIONS:
        await connection.execute(f'ALTER FUNCTION "{source}"."{name}"() SET SCHEMA "{target}"')
