"""Topics from the outside: an endpoint that knows nothing but Amazon SNS confirms, verifies, and reads what it is told."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from shared.failures import Cause
from shared.protocol import Failed
from tests.builders import a_failure, finished
from tests.contract.api.service import OUT, Caller, Node, Service
from tests.contract.dialects.elastictranscoder.client import ROLE, Client
from tests.receivers import Received, Receiver, receiving

HANDBOOK = Path(__file__).parents[4] / "docs" / "notifications.md"
ARN = "arn:aws:sns:eu-west-1:123456789012:films-done"
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""As the documentation of Amazon SNS tells verifiers."""


@pytest.fixture
async def operator(service: Service) -> Caller:
    return await service.operator()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def verified(received: Received) -> dict[str, Any]:
    """What arrived, once its signature was checked by the steps in the documentation."""
    content: dict[str, Any] = received.json
    assert content["SignatureVersion"] == "2"
    assert received.headers["x-amz-sns-message-type"] == content["Type"]
    async with aiohttp.ClientSession() as session, session.get(content["SigningCertURL"]) as answer:
        assert answer.status == 200
        certificate = x509.load_pem_x509_certificate(await answer.read())
    signed = "".join(f"{name}\n{content[name]}\n" for name in SIGNED[content["Type"]])
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(content["Signature"]), signed.encode(), padding.PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(content["Signature"]), b"x" + signed.encode(), padding.PKCS1v15(), SHA256())
    return content


async def visit(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def put(operator: Caller, tenant: Caller, receiver: Receiver, arn: str = ARN) -> dict[str, Any]:
    made = await operator.post("/v1/topics", {"arn": arn, "url": receiver.url, "tenant_id": tenant.tenant_id})
    assert made.status == 201, made.content
    topic: dict[str, Any] = made.json
    return topic


async def confirmed(operator: Caller, tenant: Caller, receiver: Receiver) -> dict[str, Any]:
    """A topic with an endpoint that has confirmed by itself."""
    topic = await put(operator, tenant, receiver)
    (asked,) = await receiver.got(1)
    status, _ = await visit((await verified(asked))["SubscribeURL"])
    assert status == 200
    return topic


async def tells(tenant: Caller, pipeline: str, **topics: str) -> None:
    changed = await tenant.call("PATCH", f"/v1/pipelines/{pipeline}", {"notifications": topics})
    assert changed.status == 200, changed.content


async def test_an_endpoint_confirms_by_the_address_that_it_is_sent(
    operator: Caller, tenant: Caller, receiver: Receiver
) -> None:
    topic = await put(operator, tenant, receiver)
    assert topic["status"] == "Pending"
    (asked,) = await receiver.got(1)
    content = await verified(asked)
    assert (content["Type"], content["TopicArn"]) == ("SubscriptionConfirmation", ARN)
    assert content["Token"] in content["SubscribeURL"].replace("%3A", ":")
    for _ in range(2):
        status, text = await visit(content["SubscribeURL"])
        assert status == 200
        (arn,) = ElementTree.fromstring(text).iter("{http://sns.amazonaws.com/doc/2010-03-31/}SubscriptionArn")  # noqa: S314 (our own answer)
        assert arn.text == topic["subscription_arn"]
    assert (await operator.get(f"/v1/topics/{topic['id']}")).json["status"] == "Active"


async def test_the_verifier_in_the_handbook_takes_them_and_no_others(
    operator: Caller, tenant: Caller, receiver: Receiver, service: Service
) -> None:
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", HANDBOOK.read_text(), re.DOTALL) if "x509" in block
    ]
    known: dict[str, Any] = {}
    exec(code, known)  # noqa: S102 (our own)
    await put(operator, tenant, receiver)
    (asked,) = await receiver.got(1)
    assert (await asyncio.to_thread(known["verified"], asked.body, service.url))["TopicArn"] == ARN
    for body, url in (
        (asked.body.replace(b"films-done", b"films-gone"), service.url),
        (asked.body, "https://transcoder.example"),
    ):
        with pytest.raises((InvalidSignature, ValueError)):
            await asyncio.to_thread(known["verified"], body, url)


async def test_the_documented_messages_arrive_proven(
    operator: Caller, tenant: Caller, receiver: Receiver, pipeline: str, node: Node
) -> None:
    topic = await confirmed(operator, tenant, receiver)
    await tells(tenant, pipeline, progressing=ARN, completed=ARN)
    job_id = await tenant.submit(pipeline, output_key_prefix="film/", metadata={"Order": "4711"})
    order = await node.take()
    made = OUT.model_copy(update={"key": "film/out.mp4"})
    await node.stage(order.ref, made)
    assert (await node.report(order.ref, finished(made))).status == 200
    (_, progressing, completed) = await receiver.got(3)
    contents = [await verified(one) for one in (progressing, completed)]
    assert [content["Type"] for content in contents] == ["Notification"] * 2
    assert completed.headers["x-amz-sns-subscription-arn"] == topic["subscription_arn"]
    assert job_id in contents[1]["Subject"]
    began, done = (json.loads(content["Message"]) for content in contents)
    assert (began["state"], began["outputs"][0]["status"]) == ("PROGRESSING", "Progressing")
    assert (done["state"], done["outputs"][0]["status"]) == ("COMPLETED", "Complete")
    assert done["version"] == "2012-09-25"
    assert (done["jobId"], done["pipelineId"]) == (job_id, pipeline)
    assert (done["input"]["key"], done["outputKeyPrefix"]) == ("in.mp4", "film/")
    assert (done["outputs"][0]["id"], done["outputs"][0]["key"]) == ("1", "out.mp4")
    assert done["userMetadata"] == {"Order": "4711"}
    assert done["playlists"] == []
    assert "errorCode" not in done


async def test_a_failure_tells_its_number_and_another_attempt_is_a_warning(
    operator: Caller, tenant: Caller, receiver: Receiver, pipeline: str, node: Node, service: Service
) -> None:
    await confirmed(operator, tenant, receiver)
    await tells(tenant, pipeline, warning=ARN, error=ARN)
    await tenant.submit(pipeline)
    await node.report((await node.take()).ref, Failed(failure=a_failure(Cause.NODE)))
    (_, warning) = await receiver.got(2)
    message = json.loads((await verified(warning))["Message"])
    assert (message["state"], message["messageDetails"]) == ("WARNING", a_failure(Cause.NODE).message)
    service.clock.pass_seconds(60)
    await node.hello()
    failure = a_failure(Cause.INPUT)
    await node.report((await node.take()).ref, Failed(failure=failure))
    (*_, error) = await receiver.got(3)
    message = json.loads((await verified(error))["Message"])
    assert (message["state"], message["errorCode"]) == ("ERROR", int(failure.code))
    assert failure.message in message["messageDetails"]
    assert message["messageDetails"] == message["outputs"][0]["statusDetail"]


async def test_nothing_that_holds_a_key_is_told(
    operator: Caller, tenant: Caller, receiver: Receiver, pipeline: str, node: Node
) -> None:
    await confirmed(operator, tenant, receiver)
    await tells(tenant, pipeline, progressing=ARN)
    document = (await tenant.get(f"/v1/jobs/{await tenant.submit(pipeline)}")).json
    await tenant.post(f"/v1/jobs/{document['id']}/cancel")
    output = {"key": "out.mp4", "settings": document["outputs"][0]["settings"], "encryption": {"mode": "aes-cbc-pkcs7"}}
    await tenant.submit(pipeline, outputs=[output])
    await node.take()
    (_, told) = await receiver.got(2)
    message = (await verified(told))["Message"]
    assert "encryption" not in message.lower()


async def test_an_endpoint_that_has_not_confirmed_hears_nothing(
    operator: Caller, tenant: Caller, receiver: Receiver, pipeline: str, node: Node
) -> None:
    topic = await put(operator, tenant, receiver)
    await receiver.got(1)
    await tells(tenant, pipeline, progressing=ARN)
    await tenant.submit(pipeline)
    await node.take()
    assert (await operator.post(f"/v1/topics/{topic['id']}/confirm")).json["status"] == "Active"
    assert len((await operator.get(f"/v1/topics/{topic['id']}/deliveries")).json["items"]) == 1
    await tenant.submit(pipeline)
    await node.take()
    (_, told) = await receiver.got(2)
    assert (await verified(told))["Type"] == "Notification"


async def test_another_tenants_pipelines_do_not_tell_a_topic(
    operator: Caller, tenant: Caller, receiver: Receiver, service: Service, node: Node
) -> None:
    topic = await confirmed(operator, tenant, receiver)
    stranger = await service.tenant("stranger")
    pipeline = await stranger.pipeline()
    await tells(stranger, pipeline, progressing=ARN)
    await stranger.submit(pipeline)
    await node.take()
    assert len((await operator.get(f"/v1/topics/{topic['id']}/deliveries")).json["items"]) == 1


async def test_an_endpoint_leaves_by_the_address_in_every_message(
    operator: Caller, tenant: Caller, receiver: Receiver, pipeline: str, node: Node
) -> None:
    topic = await confirmed(operator, tenant, receiver)
    await tells(tenant, pipeline, progressing=ARN)
    await tenant.submit(pipeline)
    await node.take()
    (asked, told) = await receiver.got(2)
    assert (await visit((await verified(told))["UnsubscribeURL"]))[0] == 200
    shown = (await operator.get(f"/v1/topics/{topic['id']}")).json
    assert (shown["status"], shown["reason"]) == ("Disabled", "Its endpoint has unsubscribed.")
    assert (await visit(asked.json["SubscribeURL"]))[0] == 403, "who has left comes back by an operator's asking alone"
    assert (await operator.post(f"/v1/topics/{topic['id']}/ask")).json["status"] == "Pending"
    (*_, again) = await receiver.got(3)
    assert (await visit((await verified(again))["SubscribeURL"]))[0] == 200
    assert (await operator.get(f"/v1/topics/{topic['id']}")).json["status"] == "Active"


async def test_an_address_that_was_not_sent_or_is_too_old_confirms_nothing(
    operator: Caller, tenant: Caller, receiver: Receiver, service: Service
) -> None:
    topic = await put(operator, tenant, receiver)
    (asked,) = await receiver.got(1)
    good = asked.json["SubscribeURL"]
    token = asked.json["Token"]
    spoiled = token[:-1] + ("A" if token[-1] != "A" else "B")
    for url in (
        good.replace(token, spoiled),
        good.replace("ConfirmSubscription", "Unsubscribe"),
        good.replace("ConfirmSubscription", "Publish"),
        good.partition("?")[0],
        good.replace(token, ""),
    ):
        assert (await visit(url))[0] == 403
    assert (await visit(asked.json["SigningCertURL"].replace(".pem", "0.pem")))[0] == 404
    service.clock.pass_seconds(3 * 86_400 + 1)
    assert (await visit(good))[0] == 403
    assert (await operator.get(f"/v1/topics/{topic['id']}")).json["status"] == "Pending"
    assert (await operator.post(f"/v1/topics/{topic['id']}/ask")).status == 202
    (_, again) = await receiver.got(2)
    assert (await visit(good))[0] == 403, "a new question makes the one before worthless"
    assert (await visit(again.json["SubscribeURL"]))[0] == 200
    assert (await operator.post(f"/v1/topics/{topic['id']}/ask")).code == "wrong_state"


async def test_a_topic_that_was_taken_away_can_be_put_back(
    operator: Caller, tenant: Caller, receiver: Receiver
) -> None:
    topic = await put(operator, tenant, receiver)
    (asked,) = await receiver.got(1)
    again = await operator.post("/v1/topics", {"arn": ARN, "url": receiver.url, "tenant_id": tenant.tenant_id})
    assert again.fault == (409, "already_exists", "/url")
    assert (await operator.call("DELETE", f"/v1/topics/{topic['id']}")).status == 204
    assert (await visit(asked.json["SubscribeURL"]))[0] == 403
    assert (await put(operator, tenant, receiver))["id"] != topic["id"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"arn": "films-done"}, "/arn"),
        ({"url": "http://10.0.0.1/"}, "/url"),
        ({"tenant_id": None}, "/tenant_id"),  # the account in the ARN is no tenant's
        ({"tenant_id": "999999999999"}, "/tenant_id"),
    ],
)
async def test_what_cannot_be_told_is_refused_by_name(
    operator: Caller, tenant: Caller, receiver: Receiver, changes: dict[str, Any], pointer: str
) -> None:
    document = {"arn": ARN, "url": receiver.url, "tenant_id": tenant.tenant_id} | changes
    assert (await operator.post("/v1/topics", document)).fault == (400, "invalid_field", pointer)


async def test_a_topic_belongs_to_the_account_in_its_arn_unless_another_is_named(
    operator: Caller, tenant: Caller, receiver: Receiver
) -> None:
    arn = f"arn:aws:sns:eu-west-1:{tenant.tenant_id}:films"
    made = await operator.post("/v1/topics", {"arn": arn, "url": receiver.url})
    assert made.json["tenant_id"] == tenant.tenant_id
    assert [one["arn"] for one in (await operator.get("/v1/topics")).json["items"]] == [arn]


async def test_a_message_is_sent_once_more_under_its_name(operator: Caller, tenant: Caller, receiver: Receiver) -> None:
    topic = await put(operator, tenant, receiver)
    await receiver.got(1)
    path = f"/v1/topics/{topic['id']}/deliveries"
    async with asyncio.timeout(60):
        while not (sent := (await operator.get(path)).json["items"][0])["attempts"]:  # noqa: ASYNC110 (a server is asked)
            await asyncio.sleep(0.01)
    assert (await operator.post(f"{path}/{sent['id']}/redeliver")).status == 202
    (first, second) = await receiver.got(2)
    assert first.body == second.body
    assert sent["id"].removeprefix("msg_") == first.json["MessageId"].replace("-", "")


async def test_a_pipeline_that_tells_nobody_is_warned_of_until_somebody_is_there(
    operator: Caller, tenant: Caller, client: Client, receiver: Receiver
) -> None:
    await tenant.pipeline()
    document = {
        "Name": "films",
        "InputBucket": "bucket",
        "OutputBucket": "bucket",
        "Role": ROLE,
        "Notifications": {"Completed": ARN, "Error": ARN, "Progressing": "", "Warning": ""},
    }
    made = (await client.post("/pipelines", document)).json
    assert made["Pipeline"]["Notifications"] == document["Notifications"]
    assert [(one["Code"], ARN in one["Message"]) for one in made["Warnings"]] == [("6006", True)]
    asked = {"Role": ROLE, "InputBucket": "bucket", "OutputBucket": "bucket", "Topics": [ARN, ""]}
    tried = (await client.post("/roleTests", asked)).json
    assert (tried["Success"], len(tried["Messages"])) == ("false", 1)
    await confirmed(operator, tenant, receiver)
    assert (await client.get(f"/pipelines/{made['Pipeline']['Id']}")).json["Warnings"] == []
    assert (await client.post("/roleTests", asked)).json == {"Success": "true", "Messages": []}
