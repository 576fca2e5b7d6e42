"""Webhooks from the outside: what arrives, how it is proven, and what becomes of what does not arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from controlplane.domain.notifications import OFFSETS_MS, EndpointKind, Happening
from controlplane.http.keys import COURIER
from controlplane.services.couriers import MOST_NOTED
from controlplane.store.operations import endpoints
from shared.clock import to_datetime
from shared.failures import Cause
from shared.ids import EndpointId
from shared.protocol import Failed, HandedBack
from tests.builders import a_failure, finished
from tests.clock import FakeClock
from tests.contract.api.service import OUT, Caller, Node, Service, serving
from tests.receivers import Received, Receiver, receiving

EVERY = [str(happening) for happening in Happening]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def hook(tenant: Caller, receiver: Receiver, path: str = "/", **wishes: Any) -> dict[str, Any]:
    made = await tenant.post("/v1/webhooks", {"url": receiver.url + path, **wishes})
    assert made.status == 201, made.content
    webhook: dict[str, Any] = made.json
    return webhook


async def deliveries(tenant: Caller, webhook_id: str) -> list[dict[str, Any]]:
    """Oldest first."""
    listed = await tenant.get(f"/v1/webhooks/{webhook_id}/deliveries")
    assert listed.status == 200, listed.content
    return list(reversed(listed.json["items"]))


async def noted(tenant: Caller, webhook_id: str, attempts: int) -> list[dict[str, Any]]:
    """The log, once it tells of so many attempts."""
    async with asyncio.timeout(60):
        while True:
            log = await deliveries(tenant, webhook_id)
            if sum(len(one["attempts"]) for one in log) >= attempts:
                return log
            await asyncio.sleep(0.01)


async def completed(tenant: Caller, pipeline: str, node: Node) -> str:
    job_id = await tenant.submit(pipeline, metadata={"order": "4711"})
    order = await node.take()
    await node.stage(order.ref, OUT)
    assert (await node.report(order.ref, finished(OUT))).status == 200
    return job_id


def passes(service: Service, ms: int) -> None:
    service.clock.pass_seconds(ms / 1000)
    service.app[COURIER].wake()


def verified(received: Received, secret: str) -> dict[str, Any]:
    """By Standard Webhooks' own library, whose clock is set to the message's."""
    oracle = Webhook(secret)
    oracle._Webhook__verify_timestamp = lambda header: to_datetime(int(header) * 1000)
    content: dict[str, Any] = oracle.verify(received.body, dict(received.headers))
    return content


async def test_the_whole_life_of_a_job_arrives_in_order_and_proven(
    tenant: Caller, pipeline: str, node: Node, receiver: Receiver
) -> None:
    made = await hook(tenant, receiver, "/hook?x=1")
    assert made["types"] == EVERY
    job_id = await completed(tenant, pipeline, node)
    received = await receiver.got(3)
    news = [verified(one, made["secret"]) for one in received]
    assert [one["type"] for one in news] == ["job.submitted", "job.progressing", "job.completed"]
    assert [one["data"]["status"] for one in news] == ["Submitted", "Progressing", "Complete"]
    numbers = [one["data"].pop("sequence") for one in news]
    assert numbers == sorted(set(numbers))
    assert news[2]["data"] == {
        "job_id": job_id,
        "status": "Complete",
        "pipeline_id": pipeline,
        "metadata": {"order": "4711"},
    }
    assert len({one.headers["webhook-id"] for one in received}) == 3
    assert {one.path for one in received} == {"/hook"}
    assert all(len(one.body) < 20_000 for one in received)


async def test_a_failure_says_why_and_another_attempt_is_a_warning(
    tenant: Caller, pipeline: str, node: Node, receiver: Receiver, service: Service
) -> None:
    await hook(tenant, receiver, types=["job.warning", "job.error"])
    await tenant.submit(pipeline)
    await node.report((await node.take()).ref, Failed(failure=a_failure(Cause.NODE)))
    (warning,) = await receiver.got(1)
    assert (warning.type, warning.json["data"]["status"], warning.json["data"]["attempt"]) == (
        "job.warning",
        "Progressing",
        1,
    )
    service.clock.pass_seconds(60)
    await node.hello()
    await node.report((await node.take()).ref, Failed(failure=a_failure(Cause.INPUT)))
    (_, error) = await receiver.got(2)
    assert error.json["data"]["status_detail"]["message"] == a_failure(Cause.INPUT).message


async def test_a_cancelled_job_and_one_that_is_handed_back(
    tenant: Caller, pipeline: str, node: Node, receiver: Receiver
) -> None:
    await hook(tenant, receiver, types=["job.warning", "job.canceled"])
    job_id = await tenant.submit(pipeline)
    await node.report((await node.take()).ref, HandedBack(reason="it drains"))
    await tenant.post(f"/v1/jobs/{job_id}/stop")
    await receiver.got(1)
    assert receiver.types == ["job.canceled"]


async def test_a_secret_is_shown_once_and_lies_sealed(
    tenant: Caller, receiver: Receiver, service: Service, pipeline: str
) -> None:
    made = await hook(tenant, receiver)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert (await tenant.get(f"/v1/webhooks/{made['id']}")).json == made
    assert (await tenant.get("/v1/webhooks")).json["items"] == [made]
    kept = b"".join(file.read_bytes() for file in service.state.glob("transcoder.db*"))
    assert made["id"].encode() in kept
    assert secret.removeprefix("whsec_").encode() not in kept


async def test_while_a_secret_is_replaced_both_prove_a_message(
    tenant: Caller, receiver: Receiver, service: Service
) -> None:
    made = await hook(tenant, receiver)
    path = f"/v1/webhooks/{made['id']}"
    rotated = await tenant.post(f"{path}/rotate", {"keep_old_for": 60})
    assert rotated.json.pop("secret") != made["secret"]
    await tenant.post(f"{path}/test")
    (both,) = await receiver.got(1)
    assert verified(both, made["secret"]) == verified(both, rotated.json["secret"])
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    service.clock.pass_seconds(61)
    await tenant.post(f"{path}/test")
    (_, new) = await receiver.got(2)
    assert verified(new, rotated.json["secret"])["type"] == "webhook.test"
    assert len(new.headers["webhook-signature"].split(" ")) == 1


async def test_a_webhook_is_changed_disabled_and_made_active_again(
    tenant: Caller, pipeline: str, receiver: Receiver
) -> None:
    made = await hook(tenant, receiver, types=["job.error"])
    path = f"/v1/webhooks/{made['id']}"
    changed = await tenant.call("PATCH", path, {"types": ["job.submitted"], "description": "ours"})
    assert (changed.json["types"], changed.json["description"], changed.json["url"]) == (
        ["job.submitted"],
        "ours",
        made["url"],
    )
    assert (await tenant.call("PATCH", path, {"status": "Disabled"})).json["status"] == "Disabled"
    assert (await tenant.post(f"{path}/test")).code == "wrong_state"
    await tenant.submit(pipeline)
    assert await deliveries(tenant, made["id"]) == []
    assert (await tenant.call("PATCH", path, {"status": "Active"})).json["status"] == "Active"
    job_id = await tenant.submit(pipeline)
    (told,) = await receiver.got(1)
    assert told.json["data"]["job_id"] == job_id
    assert (await tenant.call("DELETE", path)).status == 204
    assert (await tenant.get(f"{path}/deliveries")).code == "not_found"


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"url": "http://10.0.0.1/"}, "/url"),
        ({"url": "https://169.254.169.254/latest/"}, "/url"),
        ({"url": "https://user:secret@example.com/"}, "/url"),
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://example.com:25/"}, "/url"),
        ({"url": "https://example.com/", "types": []}, "/types"),
        ({"url": "https://example.com/", "types": ["job.finished"]}, "/types/0"),
        ({"types": ["job.error"]}, "/url"),
    ],
)
async def test_what_cannot_be_told_is_refused_by_name(tenant: Caller, document: dict[str, Any], pointer: str) -> None:
    refused = await tenant.post("/v1/webhooks", document)
    assert (refused.status, refused.json["pointer"]) == (400, pointer)
    path = f"/v1/webhooks/{(await tenant.post('/v1/webhooks', {'url': 'https://example.com/'})).json['id']}"
    if "url" in document:
        assert (await tenant.call("PATCH", path, document)).json["pointer"] == pointer
    assert (await tenant.call("PATCH", path, {"url": None})).fault == (400, "invalid_field", "/url")


async def test_what_fails_is_sent_again_under_its_name_for_a_day_and_then_given_up(
    tenant: Caller, receiver: Receiver, service: Service
) -> None:
    made = await hook(tenant, receiver)
    receiver.answers = [500] * len(OFFSETS_MS)
    sent = (await tenant.post(f"/v1/webhooks/{made['id']}/test")).json
    for count in range(1, len(OFFSETS_MS)):
        (log,) = await noted(tenant, made["id"], count)
        assert log["state"] == "Pending"
        passes(service, OFFSETS_MS[count] - OFFSETS_MS[count - 1] + (OFFSETS_MS[count] - OFFSETS_MS[count - 1]) // 10)
    (log,) = await noted(tenant, made["id"], len(OFFSETS_MS))
    assert (log["state"], log["next_attempt_at"]) == ("Failed", None)
    assert {one["status"] for one in log["attempts"]} == {500}
    assert {one.headers["webhook-id"] for one in receiver.received} == {sent["id"]}
    assert len({one.body for one in receiver.received}) == 1
    metrics = (await service.call("GET", "/metrics")).content.decode()
    assert "transcoder_deliveries_pending 0.0" in metrics

    again = await tenant.post(f"/v1/webhooks/{made['id']}/deliveries/{sent['id']}/redeliver")
    assert (again.status, again.json["state"], len(again.json["attempts"])) == (202, "Pending", len(OFFSETS_MS))
    (log,) = await noted(tenant, made["id"], len(OFFSETS_MS) + 1)
    assert (log["state"], log["attempts"][-1]["status"]) == ("Delivered", 204)
    assert receiver.received[-1].headers["webhook-id"] == sent["id"]
    read = await tenant.get(f"/v1/webhooks/{made['id']}/deliveries/{sent['id']}")
    assert read.json == log


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 500, 502])
async def test_whatever_is_no_success_is_a_failure(tenant: Caller, receiver: Receiver, status: int) -> None:
    made = await hook(tenant, receiver)
    receiver.answers = [status]
    await tenant.post(f"/v1/webhooks/{made['id']}/test")
    (log,) = await noted(tenant, made["id"], 1)
    assert (log["state"], log["attempts"][0]["status"]) == ("Pending", status)


async def test_who_asks_for_time_gets_it(tenant: Caller, receiver: Receiver, service: Service) -> None:
    made = await hook(tenant, receiver)
    receiver.answers = [{"Retry-After": "7200"}]
    await tenant.post(f"/v1/webhooks/{made['id']}/test")
    (log,) = await noted(tenant, made["id"], 1)
    passes(service, 7_199_000)
    await tenant.post(f"/v1/webhooks/{made['id']}/test")
    await receiver.got(2)
    assert receiver.received[1].headers["webhook-id"] != log["id"]
    passes(service, 1_000)
    await receiver.got(3)
    assert receiver.received[2].headers["webhook-id"] == log["id"]


async def test_who_asks_for_time_in_no_words_of_http_is_tried_as_planned(
    tenant: Caller, receiver: Receiver, service: Service
) -> None:
    made = await hook(tenant, receiver)
    receiver.answers = [{"Retry-After": "Mon, 20 Nov 1995 19:12:08 +99999999999999"}]
    await tenant.post(f"/v1/webhooks/{made['id']}/test")
    await noted(tenant, made["id"], 1)
    passes(service, 6_000)
    await receiver.got(2)


async def test_of_a_message_that_is_sent_again_and_again_the_last_tries_are_kept(
    tenant: Caller, receiver: Receiver
) -> None:
    made = await hook(tenant, receiver)
    sent = (await tenant.post(f"/v1/webhooks/{made['id']}/test")).json
    for times in range(1, MOST_NOTED + 2):
        await receiver.got(times)
        (log,) = await noted(tenant, made["id"], min(times, MOST_NOTED))
        await tenant.post(f"/v1/webhooks/{made['id']}/deliveries/{sent['id']}/redeliver")
    await receiver.got(MOST_NOTED + 2)
    (log,) = await noted(tenant, made["id"], MOST_NOTED)
    assert len(log["attempts"]) == MOST_NOTED


async def test_who_is_gone_is_told_nothing_more(
    tenant: Caller, pipeline: str, receiver: Receiver, service: Service
) -> None:
    made = await hook(tenant, receiver)
    receiver.answers = [410]
    await tenant.post(f"/v1/webhooks/{made['id']}/test")
    (log,) = await noted(tenant, made["id"], 1)
    assert log["state"] == "Failed"
    shown = (await tenant.get(f"/v1/webhooks/{made['id']}")).json
    assert (shown["status"], shown["reason"]) == ("Disabled", "It answered 410 Gone.")
    await tenant.submit(pipeline)
    assert len(await deliveries(tenant, made["id"])) == 1


async def test_a_slow_endpoint_delays_nobody_and_gets_two_at_a_time(
    tenant: Caller, pipeline: str, service: Service, receiver: Receiver
) -> None:
    receiver.held = asyncio.Event()
    await hook(tenant, receiver, types=["job.submitted"])
    async with receiving() as quick:
        stranger = await service.tenant("other")
        await hook(stranger, quick, types=["job.submitted"])
        theirs = await stranger.pipeline()
        for _ in range(5):
            await tenant.submit(pipeline)
            await stranger.submit(theirs)
        await quick.got(5)
        assert len(receiver.received) == 2
    receiver.held.set()
    await receiver.got(5)
    assert receiver.most_under_way == 2


async def test_what_comes_later_of_a_job_waits_for_what_came_before(
    tenant: Caller, pipeline: str, node: Node, receiver: Receiver, service: Service
) -> None:
    made = await hook(tenant, receiver)
    receiver.answers = [503]
    await completed(tenant, pipeline, node)
    async with asyncio.timeout(60):
        while len(log := await deliveries(tenant, made["id"])) < 3 or not log[0]["attempts"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [one["next_attempt_at"] is None for one in log] == [False, True, True]
    passes(service, OFFSETS_MS[1] + 1000)
    await receiver.got(4)
    assert receiver.types == ["job.submitted", "job.submitted", "job.progressing", "job.completed"]


async def test_the_log_is_read_by_pages_and_by_state(tenant: Caller, pipeline: str, receiver: Receiver) -> None:
    made = await hook(tenant, receiver, types=["job.submitted"])
    for _ in range(3):
        await tenant.submit(pipeline)
    await noted(tenant, made["id"], 3)
    path = f"/v1/webhooks/{made['id']}/deliveries"
    first = (await tenant.get(f"{path}?page_size=2&state=Delivered")).json
    rest = (await tenant.get(f"{path}?page_size=2&state=Delivered&page_token={first['next_page_token']}")).json
    assert [one["id"] for one in (*first["items"], *rest["items"])] == [
        one["id"] for one in reversed(await deliveries(tenant, made["id"]))
    ]
    assert (await tenant.get(f"{path}?state=Failed")).json["items"] == []


async def test_what_was_not_sent_when_the_service_ended_is_sent_by_the_next(tmp_path: Path) -> None:
    clock = FakeClock()
    async with receiving() as receiver:
        receiver.held = asyncio.Event()
        async with serving(tmp_path / "state", clock) as service:
            tenant = await service.tenant()
            made = await hook(tenant, receiver)
            sent = (await tenant.post(f"/v1/webhooks/{made['id']}/test")).json
            await receiver.got(1)
        receiver.held.set()
        clock.pass_seconds(30)
        async with serving(tmp_path / "state", clock):
            await receiver.got(2)
        assert {one.headers["webhook-id"] for one in receiver.received} == {sent["id"]}


async def test_a_secret_of_another_service_is_a_failure_that_the_log_tells(tmp_path: Path) -> None:
    """As after a restore without `secret.key`."""
    clock = FakeClock()
    async with receiving() as receiver, serving(tmp_path / "state", clock) as service:
        tenant = await service.tenant()
        made = await hook(tenant, receiver)
        database = service.store
        kept = json.dumps([{"sealed": "01" + "00" * 60, "until": None}])
        await database.write(_spoiled(made["id"], kept))
        await tenant.post(f"/v1/webhooks/{made['id']}/test")
        (log,) = await noted(tenant, made["id"], 1)
        assert (log["state"], log["attempts"][0]["status"]) == ("Pending", None)
        assert "could not be made" in log["attempts"][0]["error"]


def _spoiled(webhook_id: str, secrets: str) -> Any:
    return endpoints.update(
        EndpointKind.WEBHOOK, None, EndpointId(webhook_id), lambda known: replace(known, secrets=secrets)
    )
