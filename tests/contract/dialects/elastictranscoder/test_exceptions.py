"""What callers catch: the exceptions of boto3's own model, for every refusal that the service documents and this one can make."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from controlplane.http.keys import PIPELINES
from tests.clock import FakeClock
from tests.compatibility import model
from tests.contract.api.service import Caller, Service, serving
from tests.contract.dialects.elastictranscoder.client import ROLE, Client

MISSING = "1111111111111-abcde1"
A_JOB = {"Input": {"Key": "in.mp4"}, "Output": {"Key": "out.mp4", "PresetId": "1351620000001-000010"}}
A_PIPELINE = {"Name": "p", "InputBucket": "bucket", "OutputBucket": "bucket", "Role": ROLE}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """At the hour that boto3 signs with."""
    async with serving(tmp_path / "state", FakeClock(time.time_ns() // 1_000_000)) as service:
        yield service


class Boto3:
    """Called in a thread, as the service has this one."""

    def __init__(self, client: Client) -> None:
        self.client = boto3.client(
            "elastictranscoder",
            endpoint_url=client.service.url,
            region_name="us-east-1",
            aws_access_key_id=client.signer.access_key_id,
            aws_secret_access_key=client.signer.secret,
            config=Config(retries={"max_attempts": 0}),
        )

    async def refused(self, operation: str, **asked: Any) -> tuple[str, int]:
        """Its name and status; the model has a class for it, unless every client of Amazon's knows it."""
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(getattr(self.client, operation), **asked)
        answer = caught.value.response
        assert answer["Error"]["Message"]
        assert answer["ResponseMetadata"]["RequestId"].startswith("rq_")
        name = answer["Error"]["Code"]
        assert type(caught.value).__name__ == (name if name in model()["shapes"] else "ClientError")
        return name, answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def users_code(client: Client) -> Boto3:
    return Boto3(client)


async def test_what_is_not_there(users_code: Boto3) -> None:
    missing = ("ResourceNotFoundException", 404)
    for operation in ("read_job", "cancel_job", "read_pipeline", "delete_pipeline", "read_preset", "delete_preset"):
        assert await users_code.refused(operation, Id=MISSING) == missing
    assert await users_code.refused("update_pipeline", Id=MISSING, Name="p") == missing
    assert await users_code.refused("update_pipeline_status", Id=MISSING, Status="Paused") == missing
    assert await users_code.refused("update_pipeline_notifications", Id=MISSING, Notifications={}) == missing
    assert await users_code.refused("list_jobs_by_pipeline", PipelineId=MISSING) == missing
    assert await users_code.refused("create_job", PipelineId=MISSING, **A_JOB) == missing


async def test_what_is_in_use(users_code: Boto3, client: Client, pipeline: str) -> None:
    job = await client.caller.submit(pipeline)
    assert await users_code.refused("delete_pipeline", Id=pipeline) == ("ResourceInUseException", 409)
    node = await client.service.node()
    await node.take()
    assert await users_code.refused("cancel_job", Id=job) == ("ResourceInUseException", 409)


async def test_what_is_wrong(users_code: Boto3, pipeline: str) -> None:
    wrong = ("ValidationException", 400)
    assert await users_code.refused("read_job", Id="nothing") == wrong
    assert await users_code.refused("list_jobs_by_status", Status="nothing") == wrong
    assert await users_code.refused("create_job", PipelineId=pipeline) == wrong
    assert await users_code.refused("create_pipeline", Name="p", InputBucket="bucket", Role=ROLE) == wrong
    assert await users_code.refused("create_preset", Name="p", Container="avi") == wrong


async def test_what_one_may_not_do(users_code: Boto3, client: Client, pipeline: str) -> None:
    denied = ("AccessDeniedException", 403)
    assert await users_code.refused("delete_preset", Id="1351620000001-000010") == denied
    reader = await client.service.user(client.caller, role="read_only")
    reading = Boto3(await Client.of(client.caller, user_id=reader.user_id))
    assert await reading.refused("create_job", PipelineId=pipeline, **A_JOB) == denied
    operator = await client.service.operator()
    assert (await operator.post(f"/v1/tenants/{client.caller.tenant_id}/suspend")).status == 200
    assert await users_code.refused("list_pipelines") == denied


async def test_what_is_too_much(users_code: Boto3, client: Client, pipeline: str) -> None:
    await limited(client.caller, queued_jobs=0, pipelines=1, presets=0)
    too_much = ("LimitExceededException", 429)
    assert await users_code.refused("create_job", PipelineId=pipeline, **A_JOB) == too_much
    assert await users_code.refused("create_pipeline", **A_PIPELINE) == too_much
    assert await users_code.refused("create_preset", Name="p", Container="mp3", Audio={"Codec": "mp3"}) == too_much


async def test_what_is_too_often(users_code: Boto3, client: Client) -> None:
    operator = await client.service.operator()
    path = f"/v1/tenants/{client.caller.tenant_id}"
    assert (await operator.call("PATCH", path, {"rates": {"list": 60}})).status == 200
    client.service.clock.pass_seconds(1.1)
    assert (await client.get("/pipelines")).status == 200
    assert await users_code.refused("list_pipelines") == ("ThrottlingException", 429)


async def test_what_is_our_own_fault(users_code: Boto3, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault in this program")

    monkeypatch.setattr(client.service.app[PIPELINES], "page", broken)
    assert await users_code.refused("list_pipelines") == ("InternalServiceException", 500)


async def test_what_speaks_another_version(users_code: Boto3) -> None:
    """As botocore would, had its model another number."""

    def aged(params: dict[str, Any], **_: Any) -> None:
        params["url"] = params["url"].replace("/2012-09-25/", "/2011-01-01/")

    users_code.client.meta.events.register("before-call.elastictranscoder", aged)
    assert await users_code.refused("list_pipelines") == ("IncompatibleVersionException", 400)
    assert await users_code.refused("delete_preset", Id=MISSING) == ("IncompatibleVersionException", 400)


def test_these_are_all_that_the_model_documents() -> None:
    known = {name for name, shape in model()["shapes"].items() if shape.get("exception")}
    shown = {
        "AccessDeniedException", "IncompatibleVersionException", "InternalServiceException", "LimitExceededException",
        "ResourceInUseException", "ResourceNotFoundException", "ValidationException",
    }  # fmt: skip
    assert known == shown


async def limited(caller: Caller, **limits: int) -> None:
    operator = await caller.service.operator()
    answer = await operator.call("PUT", f"/v1/tenants/{caller.tenant_id}/quotas", limits)
    assert answer.status == 200, answer.content
