"""The audit log from the command line, beside a running service."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, Server, running

pytestmark = pytest.mark.timeout(120)


async def audit(server: Server, key: str, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shared.command", "audit", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "TRANSCODER_URL": server.url, "TRANSCODER_KEY": key},
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_an_operator_who_was_made_by_hand_is_on_record(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with running(state) as (server, _, operator):
        await server.stop()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared.command", "server", "init", "--state", str(state)),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        await process.communicate()
        await server.start()
        code, said = await audit(server, operator.key, "list", "--action", "server_init", "-o", "json")
    assert code == 0, said
    assert [deed["user_id"] for deed in json.loads(said)] == [f"local:{os.getuid()}"]


async def test_operators_list_the_log_and_anybody_with_the_database_verifies_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with running(state) as (server, tenant, operator):
        for number in range(5):
            await tenant.call("POST", "/v1/buckets", {"name": f"bucket-{number}"})
        code, said = await audit(
            server, operator.key, "list", "--action", "create_bucket", "--limit", "3", "-o", "json"
        )
        assert code == 0, said
        assert [deed["object"] for deed in json.loads(said)] == ["bucket-4", "bucket-3", "bucket-2"]
        code, said = await audit(server, "", "verify", "--state", str(state), "-o", "json")
        assert code == 0, said
        assert json.loads(said)["faults"] == []
        assert await server.stop() == 0
        heads = [line for line in (state / "log").read_text().splitlines() if "audit.head" in line]
        head = json.loads(heads[-1])["head"]
        assert (await audit(server, "", "verify", "--state", str(state), "--head", head))[0] == 0
        with closing(sqlite3.connect(state / "transcoder.db")) as database:
            database.execute("UPDATE audit SET object = 'bucket-9' WHERE object = 'bucket-3'")
            database.commit()
        code, said = await audit(server, "", "verify", "--state", str(state))
        assert code == 1
        assert "not those that were sealed" in said
        with closing(sqlite3.connect(state / "transcoder.db")) as database:
            database.execute("DELETE FROM audit")
            database.execute("DELETE FROM audit_seals")
            database.commit()
        assert (await audit(server, "", "verify", "--state", str(state)))[0] == 0
        code, said = await audit(server, "", "verify", "--state", str(state), "--head", head)
        assert code == 1
        assert "written down is not there" in said
