"""Quotas hold whoever asks at once, and every counter equals a recount."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from controlplane.domain.quota import DEFAULTS, MINUTE_MS, Quota
from controlplane.store.operations import dispatch, ending, endpoints, identity, jobs, quotas, resources
from controlplane.store.operations.granting import Grant
from controlplane.store.records import Preset, Usage
from shared.errors import NotFound, QuotaExceeded, TooManyQueued, TranscoderError
from shared.failures import Cause, Failure, FailureCode
from shared.ids import KeyId, PresetId, TenantId, UserId
from shared.protocol import DetectedProperties, Failed, Finished, HandedBack, OutputResult, Stopped
from shared.statuses import JobStatus, TaskState
from tests.builders import a_capacity, a_failure, a_token, finished, produced
from tests.clock import FakeClock
from tests.contract.store.test_outbox import an_endpoint
from tests.contract.store.world import OTHER_TENANT, TENANT, World
from tests.soak import times

CALLERS = 32
LIMIT = 10
ROUNDS = times(5, 50)
END_OF_NOVEMBER = int(dt.datetime(2026, 11, 30, 23, 59, tzinfo=dt.UTC).timestamp() * 1000)


async def admitted(attempts: int, ask: Callable[[int], Awaitable[Any]]) -> int:
    """How many of so many callers at once were let in; the others were refused for no other reason than a quota."""
    answers = await asyncio.gather(*(ask(number) for number in range(attempts)), return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(refusal, TooManyQueued | QuotaExceeded) for refusal in refusals), refusals
    return attempts - len(refusals)


async def used(world: World, quota: Quota, tenant_id: TenantId = TENANT) -> int | None:
    lines = await world.store.read(quotas.read(tenant_id, world.now))
    return next(line.used for line in lines if line.quota is quota)


async def probed(world: World, grant: Grant, seconds: float | None) -> TaskState:
    found = (DetectedProperties(duration=seconds, size=1000),)
    task = await world.store.write(dispatch.probed(grant.ref, grant.node_id, found, world.now))
    return task.state


def made(*seconds: float | None, size: int = 10, encode_seconds: float = 2.0) -> Finished:
    outputs = tuple(
        OutputResult(
            index=index, status=JobStatus.COMPLETE, duration=length, objects=(produced(f"o{index}", size=size),)
        )
        for index, length in enumerate(seconds)
    )
    inputs = (DetectedProperties(duration=60.0, size=1000),)
    return Finished(inputs=inputs, outputs=outputs, encode_seconds=encode_seconds)


async def failure_of(world: World, job_id: Any) -> Failure:
    (event,) = [event for event in await world.store.read(jobs.events(job_id, 0, 100)) if event.type == "error"]
    return Failure.model_validate_json(event.data)


class TestQueued:
    async def test_however_many_ask_at_once_just_as_many_are_let_in_as_may_wait(self, world: World) -> None:
        await world.limit(queued_jobs=LIMIT)
        for _ in range(ROUNDS):
            assert await admitted(CALLERS, lambda _: world.submit()) == LIMIT
            assert await used(world, Quota.QUEUED_JOBS) == LIMIT
            rows = await world.database.sql("SELECT id FROM jobs WHERE status = 'Submitted'")
            assert len(rows) == LIMIT
            for row in rows:
                await world.store.write(jobs.cancel(TENANT, row["id"], world.now))
        await world.assert_counted()

    async def test_a_refused_job_leaves_nothing_and_its_token_is_unused(self, world: World) -> None:
        await world.limit(queued_jobs=0)
        before = await world.stood()
        with pytest.raises(TooManyQueued) as refusal:
            await world.create_job(token=a_token())
        assert refusal.value.retry_after is not None
        assert await world.stood() == before
        await world.limit(queued_jobs=1)
        assert not (await world.create_job(token=a_token())).replayed

    async def test_a_replay_is_answered_however_full_the_queue_is(self, world: World) -> None:
        await world.limit(queued_jobs=1)
        first = await world.create_job(token=a_token())
        assert (await world.create_job(token=a_token())).job == first.job

    async def test_what_goes_back_to_the_queue_is_never_refused(self, world: World) -> None:
        await world.limit(queued_jobs=1)
        _, grant = await world.a_running_job()
        await world.submit()
        await world.report(grant, HandedBack(reason="it drains"))
        assert await used(world, Quota.QUEUED_JOBS) == 2
        with pytest.raises(TooManyQueued):
            await world.submit()
        await world.assert_counted()

    async def test_one_tenant_never_uses_anothers_quota(self, world: World) -> None:
        await world.limit(TENANT, queued_jobs=1)
        await world.submit(TENANT)
        for _ in range(3):
            await world.submit(OTHER_TENANT)

    async def test_a_lower_limit_takes_nothing_away(self, world: World) -> None:
        job_ids = [await world.submit() for _ in range(3)]
        await world.limit(queued_jobs=1)
        with pytest.raises(TooManyQueued):
            await world.submit()
        assert {(await world.job(job_id)).status for job_id in job_ids} == {JobStatus.SUBMITTED}


async def test_a_job_has_no_more_outputs_than_one_may_have(world: World) -> None:
    await world.limit(outputs_per_job=2)
    await world.submit(outputs=2)
    before = await world.stood()
    with pytest.raises(QuotaExceeded) as refusal:
        await world.submit(outputs=3)
    assert (refusal.value.pointer, refusal.value.detail) == ("/outputs", "A job may have 2 outputs; this one has 3.")
    assert await world.stood() == before


class TestRunning:
    async def test_no_more_run_than_may_and_the_rest_wait(self, world: World) -> None:
        await world.limit(running_jobs=2)
        await world.add_node(capacity=a_capacity(threads=8))
        for _ in range(4):
            await world.submit()
        grants = await world.grant()
        assert len(grants) == 2
        assert await world.grant() == []
        await world.accept(grants[0])
        await world.report(grants[0], Failed(failure=a_failure(Cause.INPUT)))
        assert len(await world.grant()) == 1
        await world.assert_counted()

    async def test_a_tenant_that_runs_all_it_may_holds_up_no_other(self, world: World) -> None:
        await world.limit(TENANT, running_jobs=1)
        await world.add_node(capacity=a_capacity(threads=4))
        for _ in range(3):
            await world.submit(TENANT, priority=50)
            await world.submit(OTHER_TENANT)
        grants = await world.grant()
        assert sorted([(await world.store.read(ending.task(grant.ref.task_id))).tenant_id for grant in grants]) == [
            TENANT,
            *[OTHER_TENANT] * 3,
        ]

    async def test_nodes_that_ask_at_once_never_start_too_many(self, world: World) -> None:
        await world.limit(running_jobs=LIMIT)
        names = [await world.add_node(str(number), capacity=a_capacity(threads=2)) for number in range(CALLERS)]
        for _ in range(2 * CALLERS):
            await world.submit()
        granted = await asyncio.gather(*(world.grant(name) for name in names))
        assert sum(map(len, granted)) == LIMIT
        assert await used(world, Quota.RUNNING_JOBS) == LIMIT

    async def test_a_job_that_waits_for_it_says_so(self, world: World) -> None:
        await world.limit(running_jobs=1)
        await world.a_running_job()
        assert (await world.job(await world.submit())).tenant_is_full
        await world.limit()
        assert not (await world.job(await world.submit())).tenant_is_full


@pytest.mark.parametrize("quota", [Quota.PRESETS, Quota.PIPELINES, Quota.BUCKETS, Quota.KEYS, Quota.WEBHOOKS])
async def test_however_many_make_things_at_once_just_as_many_are_made_as_may_be(world: World, quota: Quota) -> None:
    there = await used(world, quota) or 0
    await world.limit(**{quota: there + LIMIT})
    made_things = [f"{number:013d}-000000" for number in range(CALLERS)]

    async def make(number: int) -> Any:
        name = made_things[number]
        match quota:
            case Quota.PRESETS:
                preset = Preset(PresetId(name), TENANT, name, "", "{}", world.now)
                return await world.store.write(resources.add_preset(preset))
            case Quota.PIPELINES:
                return await world.add_pipeline(TENANT)
            case Quota.BUCKETS:
                return await world.store.write(resources.add_bucket(TENANT, name, "file", f"/{name}", world.now))
            case Quota.WEBHOOKS:
                return await world.store.write(endpoints.add(an_endpoint(name)))
            case _:
                return await add_key(world, name)

    assert await admitted(CALLERS, make) == LIMIT
    assert await used(world, quota) == there + LIMIT
    await world.assert_counted()


async def add_key(world: World, name: str) -> KeyId:
    key_id, user_id = KeyId(name), UserId(f"us_{TENANT}")
    await world.store.write(
        identity.add_key(
            key_id, user_id=user_id, tenant_id=TENANT, label="", secret_hash="", expires_at=None, now=world.now
        )
    )
    return key_id


async def test_what_is_deleted_may_be_made_again(world: World) -> None:
    preset = Preset(PresetId("p"), TENANT, "p", "", "{}", world.now)
    await world.store.write(resources.add_preset(preset))
    pipeline = await world.add_pipeline(TENANT)
    await world.store.write(resources.add_bucket(TENANT, "another", "file", "/another", world.now))
    key_id = await add_key(world, "k")
    full = {Quota.PRESETS: 1, Quota.PIPELINES: 2, Quota.BUCKETS: 2, Quota.KEYS: 1}
    await world.limit(**full)
    with pytest.raises(QuotaExceeded, match=r"1 of 1 presets are used\."):
        await world.store.write(resources.add_preset(preset))
    await world.store.write(resources.delete_preset(TENANT, preset.id))
    await world.store.write(resources.delete_pipeline(TENANT, pipeline))
    await world.store.write(resources.delete_bucket(TENANT, "another", world.now))
    await world.store.write(identity.revoke_key(TENANT, key_id, world.now))
    with pytest.raises(NotFound):
        await world.store.write(identity.revoke_key(TENANT, key_id, world.now))
    assert {quota: await used(world, quota) for quota in full} == {
        Quota.PRESETS: 0,
        Quota.PIPELINES: 1,
        Quota.BUCKETS: 1,
        Quota.KEYS: 0,
    }
    await world.assert_counted()


class TestMinutes:
    async def test_they_are_set_aside_at_the_probe_and_settled_to_what_was_made(self, world: World) -> None:
        _, grant = await world.a_running_job(outputs=2)
        assert await probed(world, grant, 60.0) is TaskState.RUNNING
        assert await used(world, Quota.OUTPUT_MINUTES) == 2 * MINUTE_MS
        await world.report(grant, made(60.0, 30.0))
        assert await used(world, Quota.OUTPUT_MINUTES) == 2 * MINUTE_MS
        await world.publish(grant, made(60.0, 30.0))
        assert await used(world, Quota.OUTPUT_MINUTES) == 1.5 * MINUTE_MS
        await world.assert_counted()

    async def test_a_last_frame_beyond_the_inputs_end_counts_no_more(self, world: World) -> None:
        _, grant = await world.a_running_job()
        await probed(world, grant, 60.0)
        await world.report(grant, made(60.04))
        await world.publish(grant, made(60.04))
        assert await used(world, Quota.OUTPUT_MINUTES) == MINUTE_MS

    async def test_an_input_that_lied_about_its_length_counts_as_it_turned_out(self, world: World) -> None:
        await world.limit(output_minutes=MINUTE_MS)
        _, grant = await world.a_running_job()
        await probed(world, grant, 1.0)
        await world.report(grant, made(3600.0))
        await world.publish(grant, made(3600.0))
        assert await used(world, Quota.OUTPUT_MINUTES) == 60 * MINUTE_MS

    async def test_a_job_that_would_exceed_them_fails_before_it_is_encoded_and_says_why(self, world: World) -> None:
        await world.limit(output_minutes=10 * MINUTE_MS)
        _, first = await world.a_running_job()
        await probed(world, first, 540.0)
        job_id, second = await world.a_running_job(outputs=2)
        assert await probed(world, second, 60.0) is TaskState.FAILED
        job, failure = await world.job(job_id), await failure_of(world, job_id)
        assert (job.status, failure.code) == (JobStatus.ERROR, FailureCode.QUOTA_EXCEEDED)
        assert failure.message == "9 of 10 output minutes of 2025-11 are used or reserved; this job needs 2."
        assert await used(world, Quota.OUTPUT_MINUTES) == 9 * MINUTE_MS
        with pytest.raises(TranscoderError, match="lease has ended"):
            await probed(world, second, 60.0)
        await world.assert_counted()

    async def test_a_job_of_unknown_length_is_let_in_while_any_are_left(self, world: World) -> None:
        await world.limit(output_minutes=MINUTE_MS)
        _, first = await world.a_running_job()
        assert await probed(world, first, None) is TaskState.RUNNING
        await world.report(first, made(60.0))
        await world.publish(first, made(60.0))
        job_id, second = await world.a_running_job()
        assert await probed(world, second, None) is TaskState.FAILED
        assert "this job is of unknown length" in (await failure_of(world, job_id)).message

    async def test_a_node_that_never_told_what_it_found_has_it_counted_at_the_end(self, world: World) -> None:
        _, grant = await world.a_running_job()
        await world.report(grant, made(60.0))
        await world.publish(grant, made(60.0))
        assert await used(world, Quota.OUTPUT_MINUTES) == MINUTE_MS
        await world.assert_counted()

    @pytest.mark.parametrize("outcome", [Failed(failure=a_failure(Cause.INPUT)), Stopped()])
    async def test_what_failed_or_was_stopped_counts_nothing(self, world: World, outcome: Failed | Stopped) -> None:
        job_id, grant = await world.a_running_job()
        await probed(world, grant, 60.0)
        if isinstance(outcome, Stopped):
            await world.store.write(jobs.stop(TENANT, job_id, world.now))
        await world.report(grant, outcome)
        assert await used(world, Quota.OUTPUT_MINUTES) == 0
        await world.assert_counted()

    async def test_a_later_attempt_finds_what_the_first_set_aside(self, world: World) -> None:
        await world.limit(output_minutes=MINUTE_MS)
        _, grant = await world.a_running_job()
        await probed(world, grant, 60.0)
        await probed(world, grant, 60.0)
        await world.report(grant, HandedBack(reason="it drains"))
        assert await used(world, Quota.OUTPUT_MINUTES) == MINUTE_MS
        (again,) = await world.grant()
        await world.accept(again)
        assert await probed(world, again, 60.0) is TaskState.RUNNING
        assert await used(world, Quota.OUTPUT_MINUTES) == MINUTE_MS

    async def test_however_many_probe_at_once_no_more_is_set_aside_than_there_is(self, world: World) -> None:
        for number in range(CALLERS):
            await world.add_node(str(number), capacity=a_capacity(threads=1))
        for _ in range(ROUNDS):
            spent = await used(world, Quota.OUTPUT_MINUTES) or 0
            await world.limit(output_minutes=spent + LIMIT * MINUTE_MS)
            for _ in range(CALLERS):
                await world.submit()
            grants = await world.grant()
            assert len(grants) == CALLERS
            await asyncio.gather(*(world.accept(grant) for grant in grants))
            states = await asyncio.gather(*(probed(world, grant, 60.0) for grant in grants))
            assert (states.count(TaskState.RUNNING), states.count(TaskState.FAILED)) == (LIMIT, CALLERS - LIMIT)
            for grant, state in zip(grants, states, strict=True):
                if state is TaskState.RUNNING:
                    await world.report(grant, made(60.0))
                    await world.publish(grant, made(60.0))
            assert await used(world, Quota.OUTPUT_MINUTES) == spent + LIMIT * MINUTE_MS
        await world.assert_counted()

    async def test_a_new_month_begins_at_nothing_and_old_jobs_are_settled_in_their_own(self, world: World) -> None:
        world.clock = FakeClock(END_OF_NOVEMBER)
        await world.limit(output_minutes=MINUTE_MS)
        await world.add_node()
        await world.submit()
        await world.submit()
        first, second = await world.grant()
        for grant in (first, second):
            await world.accept(grant)
        await probed(world, first, 60.0)
        assert await used(world, Quota.OUTPUT_MINUTES) == MINUTE_MS
        world.clock.pass_seconds(60)
        assert await used(world, Quota.OUTPUT_MINUTES) == 0
        assert await probed(world, second, 45.0) is TaskState.RUNNING
        await world.report(first, made(30.0))
        await world.publish(first, made(30.0))
        assert await used(world, Quota.OUTPUT_MINUTES) == 45_000
        await world.report(second, made(45.0))
        await world.publish(second, made(45.0))
        assert await used(world, Quota.OUTPUT_MINUTES) == 45_000
        await world.assert_counted()

    async def test_a_clock_that_is_set_back_begins_no_month_again(self, world: World) -> None:
        world.clock = FakeClock(END_OF_NOVEMBER + 60_000)
        await world.limit(output_minutes=MINUTE_MS)
        _, grant = await world.a_running_job()
        await probed(world, grant, 60.0)
        world.clock = FakeClock(END_OF_NOVEMBER)
        _, another = await world.a_running_job()
        assert await probed(world, another, 60.0) is TaskState.FAILED

    async def test_what_nobody_set_aside_counts_in_its_own_month_and_in_none_that_is_over(self, world: World) -> None:
        for now, seconds in ((END_OF_NOVEMBER, 20.0), (END_OF_NOVEMBER + 60_000, 30.0), (END_OF_NOVEMBER, 40.0)):
            world.clock = FakeClock(now)
            _, grant = await world.a_running_job()
            await world.report(grant, made(seconds))
            await world.publish(grant, made(seconds))
        world.clock = FakeClock(END_OF_NOVEMBER + 60_000)
        assert await used(world, Quota.OUTPUT_MINUTES) == 30_000
        await world.assert_counted()


class TestBytes:
    async def test_results_that_do_not_fit_fail_the_job_before_any_is_visible(self, world: World) -> None:
        await world.limit(stored_bytes=15)
        _, first = await world.a_running_job()
        await world.report(first, finished())
        job_id, second = await world.a_running_job()
        reported = await world.report(second, finished())
        assert reported.task.state is TaskState.FAILED
        failure = await failure_of(world, job_id)
        assert failure.code is FailureCode.QUOTA_EXCEEDED
        assert failure.message == "10 of 15 stored bytes are used or reserved; the results have 10."
        assert await used(world, Quota.STORED_BYTES) == 10

    async def test_they_are_settled_to_what_became_visible(self, world: World) -> None:
        _, grant = await world.a_running_job(outputs=2)
        await world.report(grant, made(1.0, 1.0, size=50))
        assert await used(world, Quota.STORED_BYTES) == 100
        await world.publish(grant, made(1.0, size=50))
        assert await used(world, Quota.STORED_BYTES) == 50

    async def test_results_that_can_never_become_visible_count_nothing(self, world: World) -> None:
        _, grant = await world.a_running_job()
        await world.report(grant, finished())
        await world.store.write(ending.unpublished(grant.ref.task_id, a_failure(), world.now))
        assert await used(world, Quota.STORED_BYTES) == 0


class TestUsage:
    async def test_every_end_is_added_to_its_day_and_days_are_those_of_utc(self, world: World) -> None:
        world.clock = FakeClock(END_OF_NOVEMBER)
        _, grant = await world.a_running_job()
        await world.report(grant, made(60.0, size=7))
        await world.publish(grant, made(60.0, size=7))
        await world.store.write(jobs.cancel(TENANT, await world.submit(), world.now))
        world.clock.pass_seconds(60)
        _, grant = await world.a_running_job()
        found = (DetectedProperties(duration=60.0, size=1000),)
        await world.report(grant, Failed(failure=a_failure(Cause.INPUT), inputs=found, encode_seconds=1.5))
        days = await world.store.read(quotas.usage(TENANT, "2026-11-01", "2026-12-31"))
        assert days == [
            Usage("2026-11-30", 1, 0, 1, output_ms=60_000, bytes_in=1000, bytes_out=7, encoder_ms=2000),
            Usage("2026-12-01", 0, 1, 0, output_ms=0, bytes_in=1000, bytes_out=0, encoder_ms=1500),
        ]
        assert await world.store.read(quotas.usage(TENANT, "2026-12-01", "2026-12-01")) == days[1:]
        assert await world.store.read(quotas.usage(OTHER_TENANT, "2026-11-01", "2026-12-31")) == []

    async def test_publishing_twice_counts_once(self, world: World) -> None:
        _, grant = await world.a_running_job()
        await world.report(grant, finished())
        await world.publish(grant)
        before = await world.stood()
        await world.publish(grant)
        assert await world.stood() == before


async def test_a_counter_that_is_wrong_is_told_and_left_as_it_is(world: World) -> None:
    await world.submit()
    await world.database.sql(f"UPDATE tenants SET queued = 5 WHERE id = '{TENANT}'")
    await world.database.sql(f"UPDATE quotas SET used = 3 WHERE tenant_id = '{TENANT}' AND quota = 'presets'")
    found = await world.store.write(quotas.drift(TENANT))
    assert [(drift.counter, drift.counted, drift.found) for drift in found] == [("queued", 5, 1), ("presets", 3, 0)]
    assert await used(world, Quota.QUEUED_JOBS) == 5


async def test_no_counter_falls_below_nothing(world: World) -> None:
    with pytest.raises(TranscoderError):
        await world.store.write(quotas.give_back(TENANT, Quota.PRESETS))
    assert await used(world, Quota.PRESETS) == 0


async def test_a_new_tenant_has_every_quota(world: World) -> None:
    new = TenantId("100000000009")
    await world.store.write(identity.add_tenant(new, "new", 1, UserId("us_9"), world.now))
    lines = await world.store.read(quotas.read(new, world.now))
    assert {line.quota: line.limit for line in lines} == DEFAULTS
    with pytest.raises(NotFound):
        await world.store.read(quotas.read(TenantId("nobody"), world.now))
