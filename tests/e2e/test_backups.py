"""Backups, made beside a service that is busy, and put in place elsewhere."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from controlplane.backup import DATABASE
from controlplane.services.audit import verify
from controlplane.store import dumping
from controlplane.store.beside import Beside
from shared.errors import Unavailable
from tests import postgres
from tests.builders import a_document, mp4_settings
from tests.e2e.processes import ROOT, Client, Server, running
from tests.receivers import receiving
from tests.soak import times

pytestmark = pytest.mark.timeout(times(120, 7200))


async def transcoder(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shared.command", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("TRANSCODER_")},
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def a_pipeline(tenant: Client) -> str:
    await tenant.call("POST", "/v1/buckets", {"name": "b"})
    made = await tenant.call("POST", "/v1/pipelines", {"name": "p", "input_bucket": "b", "output_bucket": "b"})
    pipeline_id: str = made["id"]
    return pipeline_id


def a_job(pipeline_id: str) -> dict[str, Any]:
    return a_document(pipeline_id, outputs=[{"key": "out.mp4", "settings": mp4_settings()}])


class Flood:
    """Callers that submit without end. `acknowledged` grows as they are answered."""

    def __init__(self, tenant: Client, pipeline_id: str) -> None:
        self.acknowledged: list[str] = []
        self._tasks = [asyncio.create_task(self._submit(tenant, pipeline_id)) for _ in range(8)]

    async def _submit(self, tenant: Client, pipeline_id: str) -> None:
        while True:
            status, answer = await tenant.once("POST", "/v1/jobs", a_job(pipeline_id))
            if status == 201:
                self.acknowledged.append(answer["id"])
            else:
                assert status == 429, answer
                await asyncio.sleep(0.02)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.acknowledged) < count:  # noqa: ASYNC110 (another process works)
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def rows(database: Path, query: str) -> Sequence[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def assert_consistent(database: Path) -> None:
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    assert rows(database, "PRAGMA foreign_key_check") == []
    ((jobs,), (tasks,), (queued,), (waiting,), (events,)) = (
        rows(database, query)[0]
        for query in (
            "SELECT COUNT(*) FROM jobs",
            "SELECT COUNT(*) FROM tasks",
            "SELECT SUM(queued) FROM tenants",
            "SELECT SUM(waiting) FROM lanes",
            "SELECT COUNT(*) FROM events",
        )
    )
    assert jobs == tasks == queued == waiting == events


async def test_a_backup_under_load_has_every_job_that_was_acknowledged_before_it_began(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    async with running(state) as (_, tenant, operator):
        (account,) = (await operator.call("GET", "/v1/tenants"))["items"]
        await operator.call("PUT", f"/v1/tenants/{account['id']}/quotas", {"queued_jobs": None})
        flood = Flood(tenant, await a_pipeline(tenant))
        for number in range(times(3, 30)):
            await flood.until(len(flood.acknowledged) + 40)
            before = set(flood.acknowledged)
            code, said = await transcoder("server", "backup", "--state", str(state), str(tmp_path / f"{number}.tar"))
            assert code == 0, said
            during = len(flood.acknowledged) - len(before)
            assert during > 0, "nothing was submitted meanwhile"
            code, said = await transcoder(
                *("server", "restore", "--state", str(elsewhere), "--replace", str(tmp_path / f"{number}.tar"))
            )
            assert code == 0, said
            assert before <= {job_id for (job_id,) in rows(elsewhere / DATABASE, "SELECT id FROM jobs")}
            assert_consistent(elsewhere / DATABASE)
            beside = Beside(elsewhere / DATABASE)
            assert (await verify(beside)).faults == ()
            await beside.close()
        await flood.end()


async def test_what_is_restored_serves_with_the_same_keys_and_links(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    (state / "tls").mkdir(parents=True)
    (state / "tls" / "ca.pem").write_text("an authority")
    async with running(state) as (_, tenant, _):
        job = await tenant.call("POST", "/v1/jobs", a_job(await a_pipeline(tenant)))
        page = await tenant.call("GET", "/v1/pipelines?page_size=1")
        key = tenant.key
        link = (await tenant.call("POST", "/v1/buckets/b/uploads", {"key": "film.mp4"}))["url"]
        assert (await transcoder("server", "backup", "--state", str(state), str(tmp_path / "b.tar")))[0] == 0
    assert page["items"]
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    assert (await transcoder("server", "restore", "--state", str(elsewhere), str(tmp_path / "b.tar")))[0] == 0
    assert (elsewhere / "tls" / "ca.pem").read_text() == "an authority"
    (elsewhere / "tls" / "ca.pem").unlink()
    assert (elsewhere / "secret.key").read_bytes() == (state / "secret.key").read_bytes()
    server = Server(elsewhere)
    await server.start()
    again = Client(server.url, key)
    try:
        assert (await again.call("GET", f"/v1/jobs/{job['id']}"))["status"] == "Submitted"
        status, _ = await again.once("PUT", server.url + link[link.index("/objects/") :], b"film")
        assert status == 201
        assert (await again.call("POST", f"/v1/jobs/{job['id']}/cancel"))["status"] == "Canceled"
    finally:
        await again.close()
        await server.kill()


async def test_what_was_sent_after_a_backup_is_sent_again_under_the_same_name_once_that_is_restored(
    tmp_path: Path,
) -> None:
    """So that whoever received it knows it again."""
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    outgoing = {"TRANSCODER_OUTGOING_NETWORKS": '["127.0.0.0/8"]', "TRANSCODER_DELIVERY_TIMEOUT": "1"}
    async with receiving() as receiver, running(state, outgoing) as (server, tenant, _):
        hook = await tenant.call("POST", "/v1/webhooks", {"url": receiver.url})
        receiver.held = asyncio.Event()
        job = await tenant.call("POST", "/v1/jobs", a_job(await a_pipeline(tenant)))
        await receiver.got(1)
        assert (await transcoder("server", "backup", "--state", str(state), str(tmp_path / "b.tar")))[0] == 0
        receiver.held.set()
        await until_delivered(tenant, hook["id"])
        await server.kill()
        before = len(receiver.received)
        assert (await transcoder("server", "restore", "--state", str(elsewhere), str(tmp_path / "b.tar")))[0] == 0
        restored = Server(elsewhere, outgoing)
        await restored.start()
        again = Client(restored.url, tenant.key)
        try:
            received = await receiver.got(before + 1)
            await until_delivered(again, hook["id"])
        finally:
            await again.close()
            await restored.kill()
    assert len({one.headers["webhook-id"] for one in received}) == 1
    assert len({one.body for one in received}) == 1
    assert received[-1].json["data"]["job_id"] == job["id"]


async def until_delivered(tenant: Client, webhook_id: str) -> None:
    async with asyncio.timeout(60):
        while True:
            (sent,) = (await tenant.call("GET", f"/v1/webhooks/{webhook_id}/deliveries"))["items"]
            if sent["state"] == "Delivered":
                return
            await asyncio.sleep(0.02)


async def test_a_restore_touches_nothing_while_the_service_runs_or_state_is_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with running(state) as (_, tenant, _):
        await a_pipeline(tenant)
        assert (await transcoder("server", "backup", "--state", str(state), str(tmp_path / "b.tar")))[0] == 0
        code, said = await transcoder("server", "restore", "--state", str(state), str(tmp_path / "b.tar"))
        assert (code, "--replace" in said) == (1, True)
        code, said = await transcoder("server", "restore", "--state", str(state), "--replace", str(tmp_path / "b.tar"))
        assert code == 1
        assert "stop it first" in said
        assert (await tenant.call("GET", "/v1/pipelines"))["items"]
    assert not list(state.glob("*.replaced-*"))
    assert not list(state.glob(".backup-*"))


async def test_a_damaged_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    state, elsewhere, file = tmp_path / "state", tmp_path / "elsewhere", tmp_path / "b.tar"
    async with running(state) as (_, tenant, _):
        await a_pipeline(tenant)
        assert (await transcoder("server", "backup", "--state", str(state), str(file)))[0] == 0
    whole = file.read_bytes()
    with tarfile.open(file) as archive:
        database = archive.getmember(DATABASE)
    flipped = bytearray(whole)
    flipped[database.offset_data + 5000] ^= 1
    for content in (bytes(flipped), whole[: len(whole) // 2], whole[:100], b"", b"no archive at all" * 100):
        file.write_bytes(content)
        code, said = await transcoder("server", "restore", "--state", str(elsewhere), str(file))
        assert code == 1, said
        assert "damaged" in said or "not a backup" in said, said
        assert [entry.name for entry in elsewhere.iterdir() if entry.suffix != ".lock"] == []


class OnPostgres:
    """The same with the state in a database of a server of its own."""

    def __init__(self, directory: Path, cluster: postgres.Cluster) -> None:
        self.directory, self.cluster, self.state = directory, cluster, directory / "state"
        self.config = directory / "settings.toml"

    async def database(self, name: str) -> str:
        """An empty one, which the settings name from now on."""
        base = (await self.cluster.fresh_dsn()).partition("?")[0]
        connection = await asyncpg.connect(base)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        dsn = base.replace("postgres@", "postgres:hunter2@").rpartition("/")[0] + f"/{name}"
        self.config.write_text(f'database = "{dsn}"\nstate = "{self.state}"\n')
        self.config.chmod(0o600)
        return dsn

    async def transcoder(self, verb: str, *arguments: str) -> tuple[int, str]:
        return await transcoder("server", verb, "--config", str(self.config), *arguments)


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[OnPostgres]:
    with postgres.running() as cluster:
        yield OnPostgres(tmp_path, cluster)


async def found(dsn: str, query: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_backup_of_postgresql_under_load_has_every_job_that_was_acknowledged_before_it_began(
    on_postgres: OnPostgres, tmp_path: Path
) -> None:
    file = tmp_path / "b.tar"
    dsn = await on_postgres.database("busy")
    async with running(on_postgres.state, {"TRANSCODER_DATABASE": dsn}) as (_, tenant, _):
        pipeline_id, key = await a_pipeline(tenant), tenant.key
        flood = Flood(tenant, pipeline_id)
        await flood.until(100)
        before = set(flood.acknowledged)
        code, said = await on_postgres.transcoder("backup", str(file))
        assert code == 0, said
        assert len(flood.acknowledged) > len(before), "nothing was submitted meanwhile"
        code, said = await on_postgres.transcoder("restore", "--replace", str(file))
        assert (code, "stop every one first" in said) == (1, True), said
        await flood.end()
    assert file.stat().st_mode & 0o777 == 0o600
    elsewhere = await on_postgres.database("elsewhere")
    code, said = await on_postgres.transcoder("restore", str(file))
    assert code == 0, said
    kept = await found(elsewhere, "SELECT array_agg(id) FROM jobs")
    assert before <= set(kept)
    assert await found(elsewhere, "SELECT SUM(queued) FROM tenants") == len(kept)
    assert await found(elsewhere, "SELECT COUNT(*) FROM tasks WHERE attempt > 0") == len(kept), "they are fenced"
    server = Server(on_postgres.state, {"TRANSCODER_DATABASE": elsewhere})
    await server.start()
    again = Client(server.url, key)
    try:
        made = await again.call("POST", "/v1/jobs", a_job(pipeline_id))
        assert (await again.call("POST", f"/v1/jobs/{made['id']}/cancel"))["status"] == "Canceled"
    finally:
        await again.close()
        await server.kill()


async def test_what_is_in_postgresql_already_is_put_aside_when_that_is_asked_for(
    on_postgres: OnPostgres, tmp_path: Path
) -> None:
    file = tmp_path / "b.tar"
    dsn = await on_postgres.database("one")
    async with running(on_postgres.state, {"TRANSCODER_DATABASE": dsn}) as (_, tenant, _):
        await a_pipeline(tenant)
    assert (await on_postgres.transcoder("backup", str(file)))[0] == 0
    code, said = await on_postgres.transcoder("restore", str(file))
    assert (code, "--replace" in said) == (1, True), said
    await found(dsn, "UPDATE pipelines SET name = 'changed since'")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert (await on_postgres.transcoder("restore", "--replace", str(file)))[0] == 1
    assert await found(dsn, "SELECT name FROM pipelines") == "changed since"
    file.write_bytes(whole)
    code, said = await on_postgres.transcoder("restore", "--replace", str(file))
    assert code == 0, said
    assert await found(dsn, "SELECT name FROM pipelines") == "p"
    (aside,) = re.findall(r"the schema (replaced_\d+) of the database", said)
    assert await found(dsn, f"SELECT name FROM {aside}.pipelines") == "changed since"


async def test_no_password_is_told_where_others_see_it(
    on_postgres: OnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = await on_postgres.database("one")
    async with running(on_postgres.state, {"TRANSCODER_DATABASE": dsn}):
        pass
    programs: list[tuple[list[str], dict[str, str]]] = []
    run = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda argv, **given: programs.append((argv, given["env"])) or run(argv, **given)
    )
    await dumping.dump(dsn, tmp_path / "dump")
    ((argv, environment),) = programs
    assert "hunter2" not in " ".join(argv)
    assert environment["PGPASSWORD"] == "hunter2"
    on_postgres.config.write_text('database = "postgresql://user:hunter2@127.0.0.1:1/name"\n')
    code, said = await on_postgres.transcoder("backup", str(tmp_path / "b.tar"))
    assert (code, "hunter2" in said) == (1, False)


async def test_backups_are_for_the_kind_of_database_that_they_were_made_of(
    on_postgres: OnPostgres, tmp_path: Path
) -> None:
    async with running(tmp_path / "sqlite") as (_, tenant, _):
        await a_pipeline(tenant)
        code, _ = await transcoder("server", "backup", "--state", str(tmp_path / "sqlite"), str(tmp_path / "b.tar"))
        assert code == 0
    await on_postgres.database("one")
    code, said = await on_postgres.transcoder("restore", str(tmp_path / "b.tar"))
    assert (code, "on SQLite" in said) == (1, True)


async def test_without_postgresqls_programs_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumping, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="pg_dump is missing: install"):
        await dumping.dump("postgresql://nobody@127.0.0.1:1/none", tmp_path / "dump")
