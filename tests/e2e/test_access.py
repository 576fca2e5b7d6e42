"""Users, permissions, rates and suspension: the command line on one side, a real server and its callers on the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_document
from tests.e2e.command_line import CommandLine
from tests.e2e.processes import Client, running

pytestmark = pytest.mark.timeout(120)


def on(pipeline_id: str, cluster_id: str) -> dict[str, Any]:
    return a_document(pipeline_id, placement={"cluster_id": cluster_id})


async def test_a_user_kept_to_one_cluster_a_slower_tenant_and_a_suspended_one(tmp_path: Path) -> None:
    async with running(tmp_path / "state") as (server, tenant, operator):
        at_the_desk, in_the_tenant = CommandLine(server.url, operator.key), CommandLine(server.url, tenant.key)
        for cluster_id in ("paris-1", "london-1"):
            await at_the_desk.say("clusters", "create", cluster_id)
        await tenant.call("POST", "/v1/buckets", {"name": "b"})
        made = await tenant.call("POST", "/v1/pipelines", {"name": "p", "input_bucket": "b", "output_bucket": "b"})
        pipeline_id, tenant_id = made["id"], (await operator.call("GET", "/v1/tenants"))["items"][0]["id"]

        user_id = await in_the_tenant.say("users", "create", "Ada", "--allow", "jobs:create,jobs:read@cluster/paris-1")
        ada = Client(server.url, await in_the_tenant.say("keys", "create", "--user", user_id))
        assert (await ada.once("POST", "/v1/jobs", on(pipeline_id, "paris-1")))[0] == 201
        status, refusal = await ada.once("POST", "/v1/jobs", on(pipeline_id, "london-1"))
        assert (status, refusal["code"]) == (403, "forbidden")
        assert len(await tenant.every_job()) == len(await ada.every_job()) == 1
        code, _, complaint = await CommandLine(server.url, ada.key).tried("users", "list")
        assert (code, "[forbidden]" in complaint) == (3, True)

        await server.kill()
        await server.start()
        assert (await ada.once("POST", "/v1/jobs", on(pipeline_id, "london-1")))[0] == 403
        await in_the_tenant.say("users", "set", user_id, "--allow-all")
        assert (await ada.once("POST", "/v1/jobs", on(pipeline_id, "london-1")))[0] == 201

        changed = json.loads(await at_the_desk.say("tenants", "set", tenant_id, "--rate", "list=12"))
        assert changed["rates"] == {"list": 12}
        assert [(await tenant.once("GET", "/v1/jobs"))[0] for _ in range(2)] == [200, 429]
        assert (await tenant.once("GET", "/v1/quotas"))[0] == 200
        await in_the_tenant.say("jobs", "list")  # waits as long as it is told to
        await at_the_desk.say("tenants", "set", tenant_id, "--rate", "list=default")

        await at_the_desk.say("tenants", "suspend", tenant_id)
        for caller in (tenant, ada):
            status, refusal = await caller.once("GET", "/v1/quotas")
            assert (status, refusal["code"]) == (403, "tenant_suspended")
        await at_the_desk.say("tenants", "resume", tenant_id)
        assert (await ada.once("GET", "/v1/jobs"))[0] == 200

        await in_the_tenant.say("users", "delete", user_id)
        assert (await ada.once("GET", "/v1/jobs"))[0] == 401
        await ada.close()
