"""What endpoints are told: written with what happened, in order, once for each, and kept as a log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controlplane.domain.notifications import (
    CONFIRMATION,
    OFFSETS_MS,
    TOLD_TO_TOPICS,
    DeliveryState,
    EndpointKind,
    EndpointStatus,
    Happening,
    Notifications,
)
from controlplane.domain.quota import Quota
from controlplane.store.operations import endpoints, figures, jobs, keeping, outbox, quotas, resources
from controlplane.store.operations.outbox import Message, Sent
from controlplane.store.records import Delivery, Endpoint
from shared.errors import AlreadyExists, NotFound, QuotaExceeded
from shared.failures import Cause
from shared.ids import EndpointId, JobId, MessageId, TenantId
from shared.protocol import Failed, HandedBack
from tests.builders import a_failure, finished
from tests.contract.store.world import OTHER_TENANT, TENANT, World

ARN = "arn:aws:sns:eu-west-1:123456789012:finished"
CLAIM_MS = 60_000
EVERY = tuple(Happening)
WEBHOOK = EndpointId("we_1")


def an_endpoint(name: str = WEBHOOK, types: tuple[str, ...] = EVERY, **fields: Any) -> Endpoint:
    known: dict[str, Any] = {
        "tenant_id": TENANT,
        "kind": EndpointKind.WEBHOOK,
        "arn": None,
        "url": f"https://{name}.example/",
        "description": "",
        "types": "[" + ",".join(f'"{one}"' for one in types) + "]",
        "secrets": "[]",
        "base_url": "",
        "status": EndpointStatus.ACTIVE,
        "reason": None,
        "asked_at": 0,
        "created_at": 0,
    }
    return Endpoint(id=EndpointId(name), **known | fields)


def a_topic(name: str = "tp_1", arn: str = ARN, **fields: Any) -> Endpoint:
    return an_endpoint(name, TOLD_TO_TOPICS, kind=EndpointKind.TOPIC, arn=arn, **fields)


async def add(world: World, *new: Endpoint) -> None:
    for endpoint in new:
        await world.store.write(endpoints.add(replace(endpoint, created_at=world.now)))


async def told(world: World, name: str = WEBHOOK) -> list[str]:
    """The types of all messages for an endpoint, oldest first."""
    found = await world.store.read(outbox.deliveries(EndpointId(name), None, 1 << 62, 100))
    return [delivery.type for delivery in reversed(found)]


async def take(world: World, sent: Sent | None = None, name: str = WEBHOOK) -> Message | None:
    exchange = outbox.exchange(EndpointId(name), sent, now=world.now, until=world.now + CLAIM_MS)
    return await world.store.write(exchange)


async def taken(world: World, sent: Sent | None = None, name: str = WEBHOOK) -> Message:
    message = await take(world, sent, name)
    assert message is not None
    return message


def delivered(message: Message) -> Sent:
    return Sent(message.delivery, '[{"status":204}]', DeliveryState.DELIVERED)


def delayed(message: Message, due_at: int) -> Sent:
    return Sent(message.delivery, '[{"status":500}]', DeliveryState.PENDING, due_at)


async def test_a_webhook_is_told_the_whole_life_of_a_job(world: World) -> None:
    await add(world, an_endpoint())
    _, grant = await world.a_running_job()
    await world.report(grant, finished())
    await world.publish(grant)
    assert await told(world) == ["job.submitted", "job.progressing", "job.completed"]


async def test_another_attempt_is_a_warning_and_no_second_beginning(world: World) -> None:
    await add(world, an_endpoint())
    _, grant = await world.a_running_job()
    await world.report(grant, Failed(failure=a_failure(Cause.NODE)))
    world.clock.pass_seconds(60)
    (again,) = await world.grant()
    await world.accept(again)
    await world.report(again, HandedBack(reason="it drains"))
    assert await told(world) == ["job.submitted", "job.progressing", "job.warning"]


@pytest.mark.parametrize(
    ("how", "expected"), [("cancelled", "job.canceled"), ("stopped", "job.canceled"), ("failed", "job.error")]
)
async def test_every_other_end_is_told_once(world: World, how: str, expected: str) -> None:
    await add(world, an_endpoint())
    match how:
        case "cancelled":
            job_id = await world.submit()
            for _ in range(2):
                await world.store.write(jobs.cancel(TENANT, job_id, world.now))
        case "stopped":
            job_id, grant = await world.a_running_job()
            await world.report(grant, HandedBack(reason="it drains"))
            await world.store.write(jobs.stop(TENANT, job_id, world.now))
        case _:
            _, grant = await world.a_running_job()
            await world.report(grant, Failed(failure=a_failure(Cause.INPUT)))
    assert [type_ for type_ in await told(world) if type_ not in ("job.submitted", "job.progressing")] == [expected]


async def test_what_was_asked_to_stop_and_falls_silent_is_told_as_canceled(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.CANCELED,)))
    job_id, _ = await world.a_running_job()
    await world.store.write(jobs.stop(TENANT, job_id, world.now))
    assert await told(world) == []
    world.clock.pass_seconds(3600)
    await world.reap()
    assert await told(world) == ["job.canceled"]


async def test_nobody_is_told_what_they_did_not_ask_for(world: World) -> None:
    await add(
        world,
        an_endpoint("we_only", (Happening.COMPLETED,)),
        an_endpoint("we_off", status=EndpointStatus.DISABLED),
        an_endpoint("we_other", tenant_id=OTHER_TENANT),
    )
    _, grant = await world.a_running_job()
    await world.report(grant, finished())
    await world.publish(grant)
    assert [await told(world, name) for name in ("we_only", "we_off", "we_other")] == [["job.completed"], [], []]


async def test_topics_are_told_what_the_pipeline_names_them_for(world: World) -> None:
    await add(
        world,
        a_topic("tp_named"),
        a_topic("tp_else", arn=f"{ARN}-not"),
        a_topic("tp_unconfirmed", status=EndpointStatus.PENDING, url="https://b.example"),
    )
    names = Notifications(completed=ARN, error=f"{ARN}-error").model_dump_json()
    changes = {"notifications": names}
    await world.store.write(resources.update_pipeline(TENANT, world.pipelines[TENANT], changes, if_version=None))
    _, grant = await world.a_running_job()
    await world.report(grant, finished())
    await world.publish(grant)
    assert [await told(world, name) for name in ("tp_named", "tp_else", "tp_unconfirmed")] == [
        ["job.completed"],
        [],
        [],
    ]


async def test_many_jobs_at_once_are_told_of_one_by_one(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.SUBMITTED,)))
    made = [await world.submit() for _ in range(3)]
    found = await world.store.read(outbox.deliveries(WEBHOOK, None, 1 << 62, 100))
    assert [delivery.job_id for delivery in reversed(found)] == made
    assert len({delivery.id for delivery in found}) == 3


async def test_a_job_that_could_not_be_written_is_not_told_of(world: World) -> None:
    await add(world, an_endpoint())
    await world.limit(queued_jobs=0)
    with pytest.raises(Exception, match="may"):
        await world.submit()
    assert await told(world) == []


async def test_messages_of_one_job_are_taken_in_their_order(world: World) -> None:
    await add(world, an_endpoint())
    job_id, grant = await world.a_running_job()
    first = await taken(world)
    assert (first.delivery.type, first.delivery.tries) == ("job.submitted", 1)
    assert await take(world) is None, "the next stands behind the first"
    assert await take(world, delayed(first, world.now + 5000)) is None
    world.clock.pass_seconds(5)
    again = await taken(world)
    assert (again.delivery.id, again.delivery.tries) == (first.delivery.id, 2)
    second = await taken(world, delivered(again))
    assert (second.delivery.type, second.delivery.begun_at) == ("job.progressing", world.now)
    assert second.job is not None
    assert second.job.pipeline_id == world.pipelines[TENANT]
    await world.report(grant, finished())
    await world.publish(grant)
    third = await taken(world, delivered(second))
    assert (third.delivery.type, third.delivery.job_id) == ("job.completed", job_id)
    assert await take(world, delivered(third)) is None
    assert await world.store.read(outbox.due()) == {}


async def test_one_job_does_not_wait_for_another(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.SUBMITTED,)))
    made = {await world.submit(), await world.submit()}
    assert {(await taken(world)).delivery.job_id, (await taken(world)).delivery.job_id} == made


async def test_what_a_process_took_to_its_grave_is_taken_again(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.SUBMITTED,)))
    await world.submit()
    lost = await taken(world)
    assert await take(world) is None
    assert await world.store.read(outbox.due()) == {WEBHOOK: world.now + CLAIM_MS}
    world.clock.pass_seconds(CLAIM_MS / 1000)
    assert (await taken(world)).delivery.id == lost.delivery.id


async def test_nothing_is_sent_to_an_endpoint_that_is_off_and_it_goes_on_when_it_is_on_again(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.SUBMITTED,)))
    await world.submit()
    first = await taken(world)
    gone = Sent(first.delivery, "[]", DeliveryState.FAILED, disables="It answered 410.")
    await world.submit()
    assert await take(world, gone) is None
    off = await world.store.read(endpoints.read(EndpointKind.WEBHOOK, TENANT, WEBHOOK))
    assert (off.status, off.reason) == (EndpointStatus.DISABLED, "It answered 410.")
    await world.submit()
    assert len(await told(world)) == 2, "what happens while it is off is not kept for it"
    on = endpoints.update(
        EndpointKind.WEBHOOK, TENANT, WEBHOOK, lambda known: replace(known, status=EndpointStatus.ACTIVE, reason=None)
    )
    await world.store.write(on)
    assert (await taken(world)).delivery.id != first.delivery.id


async def test_what_nobody_is_there_for_is_no_message_that_waits(world: World) -> None:
    await add(world, an_endpoint(), an_endpoint("we_2"), an_endpoint("we_3"))
    await world.submit()
    assert (await world.store.read(figures.read())).undelivered == 3
    await world.store.write(endpoints.delete(EndpointKind.WEBHOOK, TENANT, EndpointId("we_2")))
    off = endpoints.update(
        EndpointKind.WEBHOOK, TENANT, WEBHOOK, lambda known: replace(known, status=EndpointStatus.DISABLED)
    )
    await world.store.write(off)
    found = await world.store.read(figures.read())
    assert (found.undelivered, found.undelivered_since) == (1, world.now)
    await world.store.write(endpoints.delete(EndpointKind.WEBHOOK, TENANT, EndpointId("we_3")))
    found = await world.store.read(figures.read())
    assert (found.undelivered, found.undelivered_since) == (0, None)


async def test_a_delivery_is_made_once_more_under_its_name(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.SUBMITTED,)))
    await world.submit()
    first = await taken(world)
    await take(world, delivered(first))
    world.clock.pass_seconds(60)
    again = await world.store.write(outbox.redeliver(WEBHOOK, first.delivery.id, world.now))
    assert (again.state, again.tries, again.begun_at) == (DeliveryState.PENDING, 0, world.now)
    assert again.attempts == '[{"status":204}]', "the log goes on"
    second = await taken(world)
    assert second.delivery.id == first.delivery.id
    with pytest.raises(NotFound):
        await world.store.write(outbox.redeliver(EndpointId("we_other"), first.delivery.id, world.now))
    with pytest.raises(NotFound):
        await world.store.read(outbox.delivery(WEBHOOK, MessageId("msg_none")))


async def test_what_stands_behind_another_stays_there_though_it_is_asked_for(world: World) -> None:
    await add(world, an_endpoint())
    await world.a_running_job()
    (behind, first) = await world.store.read(outbox.deliveries(WEBHOOK, None, 1 << 62, 100))
    assert (first.due_at, behind.due_at) == (world.now, None)
    assert await world.store.write(outbox.redeliver(WEBHOOK, behind.id, world.now)) == behind


async def test_the_log_is_listed_by_state_from_the_newest_on(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.SUBMITTED,)))
    for _ in range(3):
        await world.submit()
    done = await taken(world)
    await take(world, delivered(done))

    async def listed(state: DeliveryState | None, before: int = 1 << 62) -> list[Delivery]:
        return await world.store.read(outbox.deliveries(WEBHOOK, state, before, 2))

    newest = await listed(None)
    assert [one.number for one in newest] == sorted((one.number for one in newest), reverse=True)
    assert len(await listed(None, newest[-1].number)) == 1
    assert [one.id for one in await listed(DeliveryState.DELIVERED)] == [done.delivery.id]


async def test_who_has_not_confirmed_is_sent_nothing_but_the_question(world: World) -> None:
    topic = EndpointId("tp_1")
    await add(world, a_topic())
    names = Notifications(progressing=ARN).model_dump_json()
    await world.store.write(
        resources.update_pipeline(TENANT, world.pipelines[TENANT], {"notifications": names}, if_version=None)
    )
    await world.a_running_job()
    left = endpoints.update(
        EndpointKind.TOPIC, None, topic, lambda known: replace(known, status=EndpointStatus.PENDING)
    )
    asked = await world.store.write(left)
    assert await take(world, name=topic) is None
    assert await world.store.read(outbox.due()) == {}
    await world.store.write(outbox.add(asked, CONFIRMATION, world.now))
    assert (await taken(world, name=topic)).delivery.type == CONFIRMATION
    assert await take(world, name=topic) is None


async def test_webhooks_are_counted_and_topics_are_not(world: World) -> None:
    await world.limit(webhooks=1)
    await add(world, an_endpoint(), a_topic())
    with pytest.raises(QuotaExceeded):
        await add(world, an_endpoint("we_2"))
    with pytest.raises(AlreadyExists):
        await add(world, a_topic("tp_2", url="https://tp_1.example/"))
    await world.assert_counted()
    with pytest.raises(NotFound):
        await world.store.write(endpoints.delete(EndpointKind.WEBHOOK, OTHER_TENANT, WEBHOOK))
    await world.store.write(endpoints.delete(EndpointKind.WEBHOOK, TENANT, WEBHOOK))
    await add(world, an_endpoint("we_2"))
    (line,) = [line for line in await world.store.read(quotas.read(TENANT, world.now)) if line.quota is Quota.WEBHOOKS]
    assert line.used == 1
    await world.assert_counted()


async def test_endpoints_are_found_by_whose_they_are(world: World) -> None:
    await add(world, an_endpoint(), a_topic(), a_topic("tp_2", tenant_id=OTHER_TENANT))
    assert [one.id for one in await world.store.read(endpoints.webhooks(TENANT, "", 10))] == [WEBHOOK]
    assert await world.store.read(endpoints.webhooks(OTHER_TENANT, "", 10)) == []
    assert [one.id for one in await world.store.read(endpoints.topics("", 10))] == ["tp_1", "tp_2"]
    assert [one.id for one in await world.store.read(endpoints.topics("tp_1", 10))] == ["tp_2"]
    assert await world.store.read(endpoints.known_topics(TENANT)) == {ARN}
    with pytest.raises(NotFound):
        await world.store.read(endpoints.read(EndpointKind.TOPIC, TENANT, WEBHOOK))
    with pytest.raises(NotFound):
        await add(world, a_topic("tp_3", tenant_id=TenantId("999999999999")))


async def test_old_messages_go(world: World) -> None:
    await add(world, an_endpoint(types=(Happening.SUBMITTED,)))
    await world.submit()
    world.clock.pass_seconds(OFFSETS_MS[-1] / 1000)
    kept = await world.submit()
    step = await world.store.write(keeping.remove_deliveries("", until=world.now - 1, size=10))
    assert step.removed == 1
    found = await world.store.read(outbox.deliveries(WEBHOOK, None, 1 << 62, 10))
    assert [one.job_id for one in found] == [JobId(kept)]
