"""A create that comes again byte by byte is answered as the first time; anything else is simply done again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.api.service import Answer, serving
from tests.contract.dialects.elastictranscoder.client import ROLE, VERSION, Client
from tests.contract.dialects.elastictranscoder.test_presets import MINE

PIPELINE = {"Name": "p", "InputBucket": "bucket", "OutputBucket": "bucket", "Role": ROLE}


def made(answer: Answer) -> str:
    assert answer.status == 201, answer.content
    (kind,) = answer.json.keys() & {"Pipeline", "Preset", "Job"}
    name: str = answer.json[kind]["Id"]
    return name


@pytest.mark.parametrize(
    ("path", "document"), [("/pipelines", PIPELINE), ("/presets", MINE)], ids=["pipeline", "preset"]
)
async def test_a_create_that_comes_again_is_answered_as_the_first_time(
    client: Client, pipeline: str, path: str, document: dict[str, Any]
) -> None:
    target, body = VERSION + path, json.dumps(document).encode()
    headers = client.signed("POST", target, body)
    first = await client.send("POST", target, body, headers)
    client.service.clock.pass_seconds(300)
    assert (await client.send("POST", target, body, headers)).json == first.json
    assert made(await client.send("POST", target, body, client.signed("POST", target, body))) != made(first)
    other = await Client.of(client.caller)
    assert made(await other.send("POST", target, body, other.signed("POST", target, body))) != made(first)


@pytest.mark.parametrize("name", ["amz-sdk-invocation-id", "aws-sdk-invocation-id"])
async def test_two_calls_of_one_second_that_ask_for_the_same_are_two(client: Client, pipeline: str, name: str) -> None:
    """Clients number them, and sign no numbers."""
    target, body = f"{VERSION}/pipelines", json.dumps(PIPELINE).encode()
    headers = client.signed("POST", target, body)
    numbered = [headers | {name: number} for number in ("one", "one", "two")]
    first, again, second = [made(await client.send("POST", target, body, sent)) for sent in numbered]
    assert first == again != second


async def test_what_was_changed_since_is_answered_as_it_is_now(client: Client, pipeline: str) -> None:
    target, body = f"{VERSION}/pipelines", json.dumps(PIPELINE).encode()
    headers = client.signed("POST", target, body)
    name = made(await client.send("POST", target, body, headers))
    await client.post(f"/pipelines/{name}/status", {"Status": "Paused"})
    assert (await client.send("POST", target, body, headers)).json["Pipeline"]["Status"] == "Paused"


async def test_other_requests_are_simply_done_again(client: Client, pipeline: str) -> None:
    target, body = f"{VERSION}/pipelines/{pipeline}/status", b'{"Status":"Paused"}'
    headers = client.signed("POST", target, body)
    assert (await client.send("POST", target, body, headers)).status == 200
    await client.post(f"/pipelines/{pipeline}/status", {"Status": "Active"})
    assert (await client.send("POST", target, body, headers)).json["Pipeline"]["Status"] == "Paused"


@pytest.mark.parametrize("mode", ["key-only", "off"])
async def test_nothing_is_known_again_where_signatures_are_not_checked(tmp_path: Path, mode: str) -> None:
    """Two that say the same may be meant twice: nothing tells them apart."""
    async with serving(tmp_path / "state", dialect_auth=mode) as service:
        client = await Client.of(await service.tenant())
        await client.caller.pipeline()
        target, body = f"{VERSION}/pipelines", json.dumps(PIPELINE).encode()
        headers = client.signed("POST", target, body)
        assert made(await client.send("POST", target, body, headers)) != made(
            await client.send("POST", target, body, headers)
        )
