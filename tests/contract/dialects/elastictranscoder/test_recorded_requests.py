"""What clients were seen to send, for things that are here and under a key of this service."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.clock import to_datetime
from tests.contract.dialects.elastictranscoder.client import Client, told

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "data" / "recorded_requests.json").read_text())
STATUSES = {"DELETE": 202, "POST jobs": 201, "POST pipelines": 201}
FOREIGN_TOKEN = "tok%2B%2F%3D1"


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: f"{one['client']} {one['method']} {one['target']}")
async def test_a_recorded_request_is_answered_as_it_was(
    client: Client, pipeline: str, recorded: dict[str, Any]
) -> None:
    for bucket in ("in", "out"):
        assert (await client.caller.post("/v1/buckets", {"name": bucket})).status == 201
    job = await client.caller.submit(pipeline)
    token = await client.caller.submit(pipeline)
    instead = {"1111111111111-abcde1": pipeline, "1700000000000-abcde1": job, FOREIGN_TOKEN: token}
    method, target, body = recorded["method"], recorded["target"], recorded["body"]
    for was, is_now in instead.items():
        target, body = target.replace(was, is_now), body.replace(was, is_now)
    headers = signed(client, method, target, body.encode(), recorded)
    answer = await client.send(method, target, body.encode(), headers)
    expected = STATUSES.get(method) or STATUSES.get(f"{method} {target.removeprefix('/2012-09-25/')}", 200)
    assert answer.status == expected, answer.content
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["x-amzn-RequestId"]


@pytest.mark.parametrize("recorded", [one for one in RECORDED if FOREIGN_TOKEN in one["target"]])
async def test_a_token_of_another_service_is_refused(client: Client, recorded: dict[str, Any]) -> None:
    """Its percents are signed as they are sent, whatever they stand for."""
    headers = signed(client, recorded["method"], recorded["target"], b"", recorded)
    status, name, message = told(await client.send(recorded["method"], recorded["target"], b"", headers))
    assert (status, name) == (400, "ValidationException")
    assert "Value 'tok+/=1' at 'pageToken'" in message


def signed(client: Client, method: str, target: str, body: bytes, recorded: dict[str, Any]) -> dict[str, str]:
    """With the headers that this client signed, and no others, told anew for this body."""
    sent = {name.lower(): value for name, value in recorded["headers"]}
    names = re.search("SignedHeaders=([^,]+)", sent["authorization"])
    assert names is not None
    anew = {"content-length": str(len(body)), "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
    kept = {name: anew.get(name, sent[name]) for name in names[1].split(";") if name not in ("host", "x-amz-date")}
    now = to_datetime(client.service.clock.now_ms())
    return client.signer.headers(method, urlsplit(client.service.url).netloc, target, body, now, kept)
