"""One token, one job; and counters that are right after every creation."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from controlplane.store.operations import jobs, resources
from controlplane.store.operations.jobs import Created
from controlplane.store.operations.tokens import Token
from shared.errors import IdempotencyMismatch, NotFound, Outdated
from shared.ids import PipelineId
from tests.builders import a_job, a_token
from tests.contract.store.world import OTHER_TENANT, TENANT, World
from tests.soak import times


async def test_the_same_token_and_request_give_the_first_job_again(world: World) -> None:
    first = await world.create_job(token=a_token())
    before = await world.stood()
    again = await world.create_job(token=a_token())
    assert (again.job, again.replayed, first.replayed) == (first.job, True, False)
    assert await world.stood() == before


async def test_the_same_token_with_another_request_is_refused_and_changes_nothing(world: World) -> None:
    await world.create_job(token=a_token(fingerprint="one"))
    before = await world.stood()
    with pytest.raises(IdempotencyMismatch):
        await world.create_job(token=a_token(fingerprint="other"))
    assert await world.stood() == before


async def test_a_token_is_new_again_when_its_window_is_over(world: World) -> None:
    first = await world.create_job(token=a_token(window_ms=60_000))
    world.clock.pass_seconds(59.999)
    assert (await world.create_job(token=a_token())).job.id == first.job.id
    world.clock.pass_seconds(0.001)
    later = await world.create_job(token=a_token(fingerprint="other"))
    assert not later.replayed
    assert later.job.id != first.job.id


async def test_a_token_belongs_to_one_tenant(world: World) -> None:
    ours = await world.create_job(TENANT, token=a_token())
    theirs = await world.create_job(OTHER_TENANT, token=a_token(fingerprint="other"))
    assert ours.job.id != theirs.job.id
    assert not theirs.replayed


async def test_a_token_whose_request_failed_may_be_used_again(world: World) -> None:
    with pytest.raises(NotFound):
        await world.create_job(token=a_token(), pipeline_id="1763750000000-nobody")
    assert not (await world.create_job(token=a_token())).replayed


async def test_of_many_callers_with_one_token_exactly_one_creates(world: World) -> None:
    for number in range(times(5, 200)):
        made = await asyncio.gather(*(world.create_job(token=a_token(f"round {number}")) for _ in range(16)))
        assert Counter(created.replayed for created in made) == {False: 1, True: 15}
        assert len({created.job.id for created in made}) == 1
    await world.assert_counted()


async def test_of_callers_with_one_token_and_two_requests_one_side_wins(world: World) -> None:
    for number in range(times(3, 100)):
        tokens = [a_token(f"round {number}", fingerprint=str(caller % 4 == 0)) for caller in range(16)]
        outcomes = await asyncio.gather(*(world.create_job(token=token) for token in tokens), return_exceptions=True)
        made = [outcome for outcome in outcomes if isinstance(outcome, Created)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, IdempotencyMismatch)]
        assert len(made) + len(refused) == 16
        assert [created.replayed for created in made].count(False) == 1
        assert len({created.job.id for created in made}) == 1
    await world.assert_counted()


async def test_no_job_is_created_in_a_pipeline_that_was_deleted_in_the_meantime(world: World) -> None:
    before = await world.stood()
    with pytest.raises(NotFound, match="pipeline"):
        await world.submit(pipeline_id="1763750000000-nobody")
    assert await world.stood() == before


async def test_no_job_is_created_from_a_pipeline_that_was_changed_in_the_meantime(world: World) -> None:
    pipeline_id = world.pipelines[TENANT]
    read = await world.store.read(resources.pipeline_roots(TENANT, pipeline_id))
    await world.store.write(resources.update_pipeline(TENANT, pipeline_id, {"name": "other"}, if_version=None))
    before = await world.stood()
    with pytest.raises(Outdated):
        await world.create_job(token=a_token(), pipeline_version=read.version)
    assert await world.stood() == before
    assert not (await world.create_job(token=a_token(), pipeline_version=read.version + 1)).replayed


async def test_a_new_job_reads_back_as_it_was_answered(world: World) -> None:
    created = await world.create_job(priority=7, held=True)
    assert await world.job(created.job.id) == created.job


async def test_what_follows_a_commit_follows_it_even_when_the_caller_is_gone(world: World) -> None:
    followed: asyncio.Queue[Created] = asyncio.Queue()
    new = a_job(world.next_id(), TENANT, world.pipelines[TENANT])
    caller = asyncio.create_task(world.store.write(jobs.create(new, world.now), then=followed.put_nowait))
    await asyncio.sleep(0)
    caller.cancel()
    assert (await asyncio.wait_for(followed.get(), 10)).job.id == new.id
    assert caller.cancelled() or caller.cancelling()


async def test_nothing_follows_what_was_refused(world: World) -> None:
    followed: list[Created] = []
    new = a_job(world.next_id(), TENANT, PipelineId("1763750000000-nobody"))
    with pytest.raises(NotFound):
        await world.store.write(jobs.create(new, world.now), then=followed.append)
    assert followed == []


async def test_a_token_whose_request_was_refused_among_others_stays_unused(world: World) -> None:
    await world.limit(queued_jobs=4)
    tokens = [a_token(f"token {number}") for number in range(12)]
    outcomes = await together(world, tokens)
    made = [outcome for outcome in outcomes if isinstance(outcome, Created)]
    assert len(made) == 4
    await world.limit(queued_jobs=12)
    again = [outcome for outcome in await together(world, tokens) if isinstance(outcome, Created)]
    assert Counter(created.replayed for created in again) == {True: 4, False: 8}
    await world.assert_counted()


async def together(world: World, asked: list[Token]) -> list[Created | BaseException]:
    """One job with each of these tokens, all at once."""
    pipeline_id = world.pipelines[TENANT]
    new = [a_job(world.next_id(), TENANT, pipeline_id, token=token) for token in asked]
    calls = (world.store.write_together(jobs.create_together, (one, world.now)) for one in new)
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_one_token_among_many_that_are_created_together_makes_one_job(world: World) -> None:
    tokens = [a_token(f"token {number % 4}", fingerprint=str(number // 12)) for number in range(16)]
    outcomes = await together(world, tokens)
    made = [outcome for outcome in outcomes if isinstance(outcome, Created)]
    assert Counter(created.replayed for created in made) == {False: 4, True: 8}
    assert len({created.job.id for created in made}) == 4
    assert all(isinstance(outcome, IdempotencyMismatch) for outcome in outcomes[12:])
    await world.assert_counted()
