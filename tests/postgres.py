"""A PostgreSQL of our own: one cluster for each test process, made when a test first asks for it and thrown away at the end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
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
    """A server that runs, and how to end it as a crash would. It never outlives the tests, however they end."""

    def __init__(self, binaries: Path, data: Path) -> None:
        self._binaries = binaries
        self._data = data
        self._port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None

    async def fresh_dsn(self) -> str:
        base, schema = f"postgresql://{_UNPRIVILEGED}@127.0.0.1:{self._port}/postgres", f"t{next(_schemas)}"
        connection = await asyncpg.connect(base)
        try:
            await connection.execute(f"CREATE SCHEMA {schema}")
        finally:
            await connection.close()
        return f"{base}?search_path={schema}"

    def start(self) -> None:
        settings = ("listen_addresses=127.0.0.1", f"port={self._port}", f"unix_socket_directories={self._data}")
        options = [option for setting in (*settings, "fsync=on") for option in ("-c", setting)]
        server = [*_as_user(), self._binaries / "postgres", "-D", self._data, *options]
        with (self._data / "log").open("ab") as log:
            self._server = subprocess.Popen(server, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        while not self._answers():
            assert self._server.poll() is None, f"postgres ended: {(self._data / 'log').read_text()}"
            time.sleep(0.02)

    def crash(self) -> None:
        """As if the power had gone: what was not on disk is lost."""
        assert self._server is not None
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait()

    def _answers(self) -> bool:
        asked = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(asked, check=False).returncode == 0


@contextmanager
def running() -> Iterator[Cluster]:
    binaries = _binaries()
    directory = Path(tempfile.mkdtemp(prefix="transcoder-postgres-"))
    data = directory / "data"
    _give_away(directory)
    _run(binaries / "initdb", "-D", data, "-U", _UNPRIVILEGED, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    cluster = Cluster(binaries, data)
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
    done = subprocess.run(
        [*_as_user(), program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{program.name} failed: {done.stdout}"


def _as_user() -> Sequence[str]:
    """A prefix of a command: by a user whom PostgreSQL accepts, and ended as soon as our thread that starts it is gone."""
    user = ("--reuid", _UNPRIVILEGED, "--regid", _UNPRIVILEGED, "--init-groups") if os.geteuid() == 0 else ()
    return ("setpriv", *user, "--pdeathsig", "QUIT", "--")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
