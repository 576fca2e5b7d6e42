"""Users, permissions, rates and suspension: the command line on one side, a real server and its callers on the other."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_document
from tests.e2e.processes import ROOT, Client, Server, running

pytestmark = pytest.mark.timeout(120)


class Shell:
    """Somebody at a terminal, with a key."""

    def __init__(self, server: Server, key: str) -> None:
        self._environment = {**os.environ, "TRANSCODER_URL": server.url, "TRANSCODER_KEY": key}

    async def run(self, *arguments: str) -> str:
        code, said = await self.tried(*arguments)
        assert code == 0, said
        return said.strip()

    async def tried(self, *arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared.command", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
            env=self._environment,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()


def on(pipeline_id: str, cluster_id: str) -> dict[str, Any]:
    return a_document(pipeline_id, placement={"cluster_id": cluster_id})


async def test_a_user_kept_to_one_cluster_a_slower_tenant_and_a_suspended_one(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (server, tenant, operator):
        at_the_desk, in_the_tenant = Shell(server, operator._key), Shell(server, tenant._key)
        for cluster_id in ("paris-1", "london-1"):
            await at_the_desk.run("clusters", "create", cluster_id)
        await tenant.call("POST", "/v1/buckets", {"name": "b"})
        made = await tenant.call("POST", "/v1/pipelines", {"name": "p", "input_bucket": "b", "output_bucket": "b"})
        pipeline_id, tenant_id = made["id"], (await operator.call("GET", "/v1/tenants"))["items"][0]["id"]

        user_id = await in_the_tenant.run("users", "create", "Ada", "--allow", "jobs:create,jobs:read@cluster/paris-1")
        ada = Client(server.url, await in_the_tenant.run("keys", "create", "--user", user_id))
        assert (await ada.once("POST", "/v1/jobs", on(pipeline_id, "paris-1")))[0] == 201
        status, refusal = await ada.once("POST", "/v1/jobs", on(pipeline_id, "london-1"))
        assert (status, refusal["code"]) == (403, "forbidden")
        assert len(await tenant.every_job()) == len(await ada.every_job()) == 1
        code, said = await Shell(server, ada._key).tried("users", "list")
        assert (code, "[forbidden]" in said) == (3, True)

        await server.kill()
        await server.start()
        assert (await ada.once("POST", "/v1/jobs", on(pipeline_id, "london-1")))[0] == 403
        await in_the_tenant.run("users", "set", user_id, "--allow-all")
        assert (await ada.once("POST", "/v1/jobs", on(pipeline_id, "london-1")))[0] == 201

        changed = json.loads(await at_the_desk.run("tenants", "set", tenant_id, "--rate", "list=12"))
        assert changed["rates"] == {"list": 12}
        assert [(await tenant.once("GET", "/v1/jobs"))[0] for _ in range(2)] == [200, 429]
        assert (await tenant.once("GET", "/v1/quotas"))[0] == 200
        await in_the_tenant.run("jobs", "list")  # waits as long as it is told to
        await at_the_desk.run("tenants", "set", tenant_id, "--rate", "list=default")

        await at_the_desk.run("tenants", "suspend", tenant_id)
        for caller in (tenant, ada):
            status, refusal = await caller.once("GET", "/v1/quotas")
            assert (status, refusal["code"]) == (403, "tenant_suspended")
        await at_the_desk.run("tenants", "resume", tenant_id)
        assert (await ada.once("GET", "/v1/jobs"))[0] == 200

        await in_the_tenant.run("users", "delete", user_id)
        assert (await ada.once("GET", "/v1/jobs"))[0] == 401
        await ada.close()
