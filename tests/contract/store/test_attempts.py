"""What attempts tell besides progress is kept once, in order, and only while the lease is live."""

from __future__ import annotations

import pytest

from controlplane.store.operations import attempts, jobs
from shared.errors import StaleLease
from shared.failures import FailureReason
from shared.protocol import Failed, Fallback, LogTail
from tests.builders import a_failure
from tests.contract.store.world import World

EVENTS = tuple(
    Fallback(outputs=(number,), encoder="h264_nvenc", instead="libx264", reason=FailureReason.HARDWARE_BUSY)
    for number in range(3)
)


async def test_events_that_are_told_again_are_kept_once(world: World) -> None:
    job_id, grant = await world.a_running_job()
    for told in (EVENTS[:1], EVENTS[:1], EVENTS, EVENTS[:2]):
        await world.store.write(attempts.note_of(grant.ref, grant.node_id, told, world.now))
    kept = await world.store.read(jobs.events(job_id, 0, 100))
    outputs = [event.data for event in kept if event.type == "fallback"]
    assert [f'"outputs":["{number}"]' in data for number, data in enumerate(outputs, 1)] == [True] * 3


async def test_only_the_newest_tail_of_each_attempt_is_kept(world: World) -> None:
    job_id, grant = await world.a_running_job()
    for said, text in ((5, "newer"), (3, "old"), (9, "newest")):
        log = LogTail(said=said, text=text)
        await world.store.write(attempts.keep_log_of(grant.ref, grant.node_id, log, world.now))
    (kept,) = await world.store.read(attempts.logs(job_id))
    assert (kept.attempt, kept.node_id, kept.said, kept.text) == (1, grant.node_id, 9, "newest")


async def test_who_holds_no_lease_keeps_nothing(world: World) -> None:
    _, grant = await world.a_running_job()
    await world.report(grant, Failed(failure=a_failure()))
    with pytest.raises(StaleLease):
        await world.store.write(attempts.keep_log_of(grant.ref, grant.node_id, LogTail(said=1, text="x"), world.now))
    with pytest.raises(StaleLease):
        await world.store.write(attempts.note_of(grant.ref, grant.node_id, EVENTS, world.now))
