"""The commands by which people are told of jobs, against a service that runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.builders import eventually
from tests.e2e.command_line import CommandLine
from tests.e2e.processes import Server, make_operator, make_tenant
from tests.receivers import receiving

pytestmark = pytest.mark.timeout(120)

TOLD = {"TRANSCODER_OUTGOING_NETWORKS": '["127.0.0.0/8"]'}


async def test_webhooks_and_topics_are_set_up_tried_and_looked_at(tmp_path: Path) -> None:
    state, arn = tmp_path / "state", "arn:aws:sns:eu-west-1:123456789012:films-done"
    tenant_key, operator_key = await make_tenant(state), await make_operator(state)
    server = Server(state, TOLD)
    await server.start()
    tenant, operator = CommandLine(server.url, tenant_key), CommandLine(server.url, operator_key)
    try:
        async with receiving() as receiver:
            hook, (account, *_) = await asyncio.gather(
                tenant.json("webhooks", "add", receiver.url, "--on", "job.completed", "--description", "ours"),
                operator.json("tenants", "list"),
            )
            assert hook["types"] == ["job.completed"]
            added = ("topics", "add", arn, receiver.url, "--tenant", account["id"])
            message_id, topic = await asyncio.gather(tenant.say("webhooks", "test", hook["id"]), operator.json(*added))
            await eventually(lambda: len(receiver.received) == 2, 60)
            changed, rotated, _ = await asyncio.gather(
                tenant.say("webhooks", "set", hook["id"], "--on", "job.error", "--disable"),
                tenant.say("webhooks", "rotate", hook["id"]),
                operator.say("topics", "confirm", topic["id"]),
            )
            assert (json.loads(changed)["types"], json.loads(changed)["status"]) == (["job.error"], "Disabled")
            assert "whsec_" in rotated
            assert hook["secret"] not in rotated
            sent, given_up, asked, listed, topics = await asyncio.gather(
                tenant.json("webhooks", "deliveries", hook["id"]),
                tenant.json("webhooks", "deliveries", hook["id"], "--state", "Failed"),
                operator.say("topics", "deliveries", topic["id"]),
                tenant.say("webhooks", "list"),
                operator.json("topics", "list"),
            )
            assert [one["id"] for one in sent] == [message_id.strip()]
            assert given_up == []
            assert "topic.confirmation" in asked
            assert "ours" in listed
            assert [(one["id"], one["status"]) for one in topics] == [(topic["id"], "Active")]
            await asyncio.gather(
                tenant.say("webhooks", "delete", hook["id"]), operator.say("topics", "delete", topic["id"])
            )
            assert await tenant.json("webhooks", "list") == []
    finally:
        await server.kill()
