"""A PostgreSQL of our own: one cluster for each test process, made when a test first asks for it and thrown away at the end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_UNPRIVILEGED = "postgres"
_schemas = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    with running() as cluster:
        yield cluster


@pytest.fixture
async def postgres_dsn(postgres_cluster: Cluster) -> str:
    """Of a database as good as empty: a schema of its own."""
    return await postgres_cluster.fresh_dsn()


class Cluster:
    """A server that runs, and how to end it in each of PostgreSQL's ways."""

    def __init__(self, data: Path, port: int, pg_ctl: Callable[..., None]) -> None:
        self._port = port
        self._data = data
        self._pg_ctl = pg_ctl

    async def fresh_dsn(self) -> str:
        base, schema = f"postgresql://{_UNPRIVILEGED}@127.0.0.1:{self._port}/postgres", f"t{next(_schemas)}"
        connection = await asyncpg.connect(base)
        try:
            await connection.execute(f"CREATE SCHEMA {schema}")
        finally:
            await connection.close()
        return f"{base}?search_path={schema}"

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self._port} -c unix_socket_directories={self._data} -c fsync=on"
        )
        self._pg_ctl("start", "-w", "-l", str(self._data / "log"), "-o", options)

    def crash(self) -> None:
        """As if the power had gone: what was not on disk is lost."""
        self._pg_ctl("stop", "-m", "immediate")


@contextmanager
def running() -> Iterator[Cluster]:
    binaries = _binaries()
    directory = Path(tempfile.mkdtemp(prefix="transcoder-postgres-"))
    data = directory / "data"
    _give_away(directory)

    def pg_ctl(command: str, *options: str) -> None:
        _run(binaries / "pg_ctl", "-D", data, "-s", command, *options)

    _run(binaries / "initdb", "-D", data, "-U", _UNPRIVILEGED, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    cluster = Cluster(data, _free_port(), pg_ctl)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.crash()
        shutil.rmtree(directory)


def _binaries() -> Path:
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], check=True, capture_output=True, text=True)
        if Path(answer.stdout.strip(), "initdb").exists():
            return Path(answer.stdout.strip())
    pytest.fail("PostgreSQL is not installed: these tests need its server (Debian: apt-get install postgresql).")


def _give_away(directory: Path) -> None:
    """PostgreSQL does not run as root."""
    directory.chmod(0o755)
    if os.geteuid() == 0:
        user = pwd.getpwnam(_UNPRIVILEGED)
        os.chown(directory, user.pw_uid, user.pw_gid)


def _run(program: Path, *arguments: str | Path) -> None:
    as_user: Sequence[str] = ["runuser", "-u", _UNPRIVILEGED, "--"] if os.geteuid() == 0 else []
    # the server that pg_ctl starts would keep a pipe open: what it says goes to a file
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run([*as_user, program, *arguments], stdout=said, stderr=said, cwd="/", check=False)
        said.seek(0)
        assert done.returncode == 0, f"{program.name} failed: {said.read()}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
