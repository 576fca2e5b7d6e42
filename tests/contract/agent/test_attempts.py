"""What becomes of one order to start, seen from the control plane."""

from __future__ import annotations

import errno
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from agent.jobs.failure import SCRATCH_FULL
from shared.failures import Cause, FailureCode, FailureReason
from shared.protocol import Failed, Finished, OutputResult, Split, Stopped
from shared.statuses import JobStatus
from tests.contract.agent.control_plane import ControlPlane, Lease
from tests.contract.agent.nodes import Tools, node
from tests.unit.agent.builders import GIB, an_output


async def test_a_movie_becomes_the_output_that_was_ordered(control: ControlPlane, tools: Tools, state: Path) -> None:
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
        outcome = control.reports[ref]
        assert isinstance(outcome, Finished)
        (output,) = outcome.outputs
        assert (output.status, output.encoder) == (JobStatus.COMPLETE, "libx264")
        assert [made.key for made in output.objects] == ["out/0.mp4"]
        assert {made.name: made.size for made in output.objects} == {
            name: len(body) for name, body in control.staged[ref].items()
        }
        assert outcome.inputs[0].width == 128
        assert outcome.encode_seconds > 0
        running.shutdown.ask()
        await running.ended()
    assert running.leftovers == []
    assert control.refused == []


async def test_progress_never_falls_and_names_the_encoder(control: ControlPlane, tools: Tools, state: Path) -> None:
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    percents = [progress.percent for progress in control.told[ref]]
    assert percents == sorted(percents)
    assert percents[-1] < 100
    assert "libx264" in {progress.encoder for progress in control.told[ref]}
    assert "encoding" in control.phases(ref)


async def test_what_the_input_is_gets_told_before_anything_is_encoded(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref))
        (found,) = control.probed[ref]
        assert (found.width, found.duration) == (128, 0.48)
        await control.stop(ref)
        await control.until(lambda: ref in control.reports)


async def test_a_job_for_which_no_minutes_are_left_is_dropped_and_never_encoded(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    control.has_no_minutes = True
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: ref in control.probed)
        running.shutdown.ask()
        await running.ended()
    assert "encoding" not in control.phases(ref)
    assert control.reports == {}
    assert running.leftovers == []


async def test_orders_are_taken_as_far_as_there_is_room_and_the_next_as_soon_as_there_is_again(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    async with node(control.url, state, tools):
        refs = [await control.grant(f"tk_{number}") for number in range(6)]
        await control.until(lambda: set(refs) <= set(control.reports))
    assert all(isinstance(control.reports[ref], Finished) for ref in refs)
    assert all(poll.free.cpu_threads >= 0 for poll in control.polls)


async def test_a_stop_ends_the_encode_and_everything_of_it(control: ControlPlane, tools: Tools, state: Path) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        await control.stop(ref)
        await control.until(lambda: ref in control.reports)
        assert control.reports[ref] == Stopped()
        assert tools.alive() == []
        running.shutdown.ask()
        await running.ended()
    assert running.leftovers == []


async def test_an_encoder_that_is_deaf_to_the_stop_is_killed(control: ControlPlane, tools: Tools, state: Path) -> None:
    tools.behave("deaf")
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        await control.stop(ref)
        await control.until(lambda: ref in control.reports)
        assert control.reports[ref] == Stopped()
        assert tools.alive() == []


async def test_an_attempt_whose_lease_is_gone_ends_without_a_word(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        control.take_away(ref)
        await control.until(lambda: not control.beats[-1].attempts)
        assert tools.alive() == []
        running.shutdown.ask()
        await running.ended()
    assert control.reports == {}
    assert running.leftovers == []


async def test_a_new_grant_of_a_task_ends_the_attempt_that_it_replaces(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    control.timings = control.timings.model_copy(update={"beat_interval": 3600})
    tools.behave("hangs")
    async with node(control.url, state, tools):
        old = await control.grant()
        await control.until(lambda: "encoding" in control.phases(old) and tools.alive())
        control.take_away(old)
        tools.behave("honest")
        new = await control.grant(attempt=2)
        await control.until(lambda: new in control.reports)
    assert isinstance(control.reports[new], Finished)
    assert list(control.reports) == [new]
    assert tools.alive() == []


async def test_a_grant_that_was_withdrawn_before_the_accept_runs_nothing(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    async with node(control.url, state, tools):
        ref = await control.grant()
        order = control.orders[ref]
        control.take_away(ref)
        await control.order(order)
        await control.until(lambda: "accept 409" in control.refused)
    assert tools.pids() == []
    assert control.reports == {}


async def test_a_lost_answer_to_the_accept_starts_the_work_once(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    control.loses_answers_of = {"accept", "poll"}
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    assert isinstance(control.reports[ref], Finished)
    assert len(tools.pids()) == 1


async def test_a_full_disk_is_the_nodes_fault(control: ControlPlane, tools: Tools, state: Path) -> None:
    tools.behave("disk_full")
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    outcome = control.reports[ref]
    assert isinstance(outcome, Failed)
    assert (outcome.failure.cause, outcome.failure.code) == (Cause.NODE, FailureCode.NODE_FAULT)
    assert control.staged == {}


async def test_an_output_may_grow_beyond_the_scratch_that_was_granted(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    async with node(control.url, state, tools):
        ref = await control.grant(scratch=1)
        await control.until(lambda: ref in control.reports)
    assert isinstance(control.reports[ref], Finished)


async def test_facts_that_cannot_be_written_hold_up_no_work(control: ControlPlane, tools: Tools, state: Path) -> None:
    (state / "facts.json").mkdir(parents=True)
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    assert isinstance(control.reports[ref], Finished)


async def test_a_journal_that_cannot_be_closed_changes_no_report(
    control: ControlPlane, tools: Tools, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.jobs.journal.remove_durably", refuse)
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
        running.shutdown.ask()
        await running.ended()
    assert isinstance(control.reports[ref], Finished)
    assert control.refused == []


async def test_a_disk_too_full_for_the_journal_is_told_as_such(
    control: ControlPlane, tools: Tools, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.jobs.journal.write_durably", refuse)
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    assert control.reports[ref] == Failed(failure=SCRATCH_FULL)


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_only_the_guilty_output_fails_and_the_split_is_told_as_an_event(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("guilty_output")
    async with node(control.url, state, tools):
        ref = await control.grant(outputs=(an_output(0), an_output(1), an_output(2)))
        await control.until(lambda: ref in control.reports)
    outcome = control.reports[ref]
    assert isinstance(outcome, Finished)
    assert [output.status for output in outcome.outputs] == [JobStatus.COMPLETE, JobStatus.ERROR, JobStatus.COMPLETE]
    assert failure_code(outcome.outputs[1]) is FailureCode.INTERNAL
    assert len(control.staged[ref]) == 2
    assert control.events[ref] == (Split(outputs=(0, 1, 2), reason=FailureReason.UNKNOWN),)


async def test_an_encoder_that_lies_about_its_success_is_found_out(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("empty")
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    assert isinstance(control.reports[ref], Failed)
    assert control.staged == {}


async def test_an_input_that_is_no_movie_is_the_tenants_fault(control: ControlPlane, tools: Tools, state: Path) -> None:
    control.movie = b"This is a letter to my grandmother.\n" * 100
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    outcome = control.reports[ref]
    assert isinstance(outcome, Failed)
    assert outcome.failure.cause is Cause.INPUT
    assert tools.pids() == []


async def test_a_lease_lives_on_until_its_report_is_answered(control: ControlPlane, tools: Tools, state: Path) -> None:
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
        beaten = len(control.beats)
        await control.until(lambda: len(control.beats) > beaten + 2)
    assert control.leases[ref] is Lease.REPORTED
    assert not control.beats[-1].attempts


def failure_code(output: OutputResult) -> FailureCode | None:
    return output.failure.code if output.failure else None


async def test_an_encoder_that_stands_still_is_ended_and_said_to_have_stalled(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools, stall_starting=2, stall_working=0.4) as running:
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
        outcome = control.reports[ref]
        assert isinstance(outcome, Failed)
        assert outcome.failure.reason is FailureReason.STALLED
        assert tools.alive() == []
        running.shutdown.ask()
        await running.ended()
    assert running.leftovers == []


async def test_what_eats_the_reserve_of_the_disk_ends_at_once_and_is_told_as_storage_full(
    control: ControlPlane, tools: Tools, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.behave("deaf")
    free = 100 * GIB
    usage = namedtuple("usage", "total free")
    monkeypatch.setattr(psutil, "disk_usage", lambda _: usage(total=1000 * GIB, free=free))
    async with node(control.url, state, tools, scratch_reserve=None) as running:
        ref = await control.grant(scratch=GIB)
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        free = 2 * GIB
        await control.until(lambda: ref in control.reports)
        outcome = control.reports[ref]
        assert isinstance(outcome, Failed)
        assert (outcome.failure.reason, outcome.failure.cause) == (FailureReason.STORAGE_FULL, Cause.NODE)
        await control.until(lambda: control.polls[-1].free.scratch == 0)
        assert tools.alive() == []
        running.shutdown.ask()
        await running.ended()
    assert running.leftovers == []


async def test_the_log_tells_what_happened_and_nothing_that_is_nobodys_business(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("talkative")
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    last = control.logs[ref][-1]
    assert "[in#0] opening <address> from <path>, <key>" in last.text
    assert "-- output 1 by libx264 with 1 threads" in last.text
    assert last.text.endswith("-- finished\n")
    assert last.said == len(last.text)
    assert not any(word in last.text for word in ("s3cret", "storage.example", "/var", "0x55aa", "sig="))


async def test_the_log_is_told_while_the_work_goes_on(control: ControlPlane, tools: Tools, state: Path) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools):
        ref = await control.grant()
        await control.until(lambda: any("-- encoding" in log.text for log in control.logs.get(ref, ())))
        assert ref not in control.reports
