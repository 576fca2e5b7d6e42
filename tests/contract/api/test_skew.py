"""Agents of another age: one number behind they are answered, one ahead they are told what to do.

`tests/data/protocol_1.json` is what an agent of protocol 1 sent; it is never made anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.services import clusters
from shared.protocol import OLDEST_PROTOCOL, PROTOCOL_VERSION
from tests.contract.api.service import Caller, Node, Service

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "protocol_1.json").read_text())


async def say(service: Service, node: Node, name: str, ref: dict[str, Any] | None = None) -> Any:
    """What was recorded, about the lease of today."""
    text = json.dumps(RECORDED[name])
    if ref is not None:
        recorded = json.dumps({"task_id": "task", "attempt": 1, "lease_id": "lease"})
        text = text.replace(recorded, json.dumps(ref))
    answer = await service.call("POST", f"/agent/v1/{name}", key=node.credential, content=text)
    assert answer.status == 200, answer.content
    return answer.json


async def test_an_agent_one_number_behind_does_a_whole_job(
    service: Service, tenant: Caller, pipeline: str, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PROTOCOL_VERSION", OLDEST_PROTOCOL + 1)
    job_id = await tenant.submit(pipeline)
    await say(service, node, "hello")
    (order,) = (await say(service, node, "poll"))["orders"] or (await node.orders())
    ref = order["ref"]
    await say(service, node, "accept", ref)
    (verdict,) = (await say(service, node, "beat", ref))["verdicts"]
    assert verdict["verdict"] == "keep"
    await say(service, node, "progress", ref)
    (upload,) = (await say(service, node, "urls", ref))["uploads"]
    assert (await service.call("PUT", upload["url"], content=b"x" * 10)).status == 201
    assert (await say(service, node, "report", ref))["task_state"] == "Publishing"
    async for event in tenant_events(tenant, job_id):
        if event == "complete":
            break


async def tenant_events(tenant: Caller, job_id: str) -> Any:
    """The types of a job's events, as they are streamed."""
    answer = await tenant.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"})
    for line in answer.content.decode().splitlines():
        if line.startswith("event: "):
            yield line.removeprefix("event: ")


@pytest.mark.parametrize(
    ("protocol", "behind"), [(OLDEST_PROTOCOL - 1, "agent"), (PROTOCOL_VERSION + 1, "control plane")]
)
async def test_whoever_is_too_far_apart_is_told_which_to_update(
    service: Service, node: Node, protocol: int, behind: str
) -> None:
    hello = {**RECORDED["hello"], "protocol": protocol}
    answer = await service.call("POST", "/agent/v1/hello", key=node.credential, document=hello)
    assert (answer.status, answer.code) == (426, "protocol_too_old")
    assert answer.json["detail"].endswith(f"update the {behind}.")
