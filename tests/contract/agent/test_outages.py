"""The control plane away for a while, and nodes that end in every way a node can end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.jobs.journal import Journal
from agent.loops.orders import Superseded
from agent.refusals import Revoked
from agent.starts import Starts
from agent.state import StateInUse
from shared.ids import BootId
from shared.protocol import AttemptRef, Drain, Finished, HandedBack, Interruption, Reprobe, Resume
from shared.statuses import Phase
from tests.builders import eventually
from tests.contract.agent.control_plane import ControlPlane, Lease
from tests.contract.agent.nodes import Tools, node
from tests.unit.agent.builders import a_start

ROOT = Path(__file__).parents[3]


async def test_work_goes_on_while_the_control_plane_is_away_and_is_reported_when_it_is_back(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: control.staged.get(ref))
        await control.leave()
        await eventually(lambda: running.is_spooled)
        control.come_back()
        await control.until(lambda: ref in control.reports)
        assert isinstance(control.reports[ref], Finished)
        assert not running.task.done()


async def test_a_report_is_sent_again_until_it_is_answered(control: ControlPlane, tools: Tools, state: Path) -> None:
    control.loses_answers_of = {"report"}
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: not control.loses_answers_of)
        assert ref in control.reports
        running.shutdown.ask()
        await running.ended()
    assert control.refused == []
    assert running.leftovers == []


async def test_a_report_survives_the_agent_and_is_named_in_its_next_hello(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    async with node(control.url, state, tools, report_grace=0.05) as first:
        ref = await control.grant()
        await control.until(lambda: control.staged.get(ref))
        await control.leave()
        await eventually(lambda: first.is_spooled)
        first.shutdown.ask()
        await first.ended()
    control.come_back()
    async with node(control.url, state, tools) as second:
        await control.until(lambda: ref in control.reports)
        second.shutdown.ask()
        await second.ended()
    assert control.hellos[-1].unreported == (ref,)
    assert isinstance(control.reports[ref], Finished)
    assert second.leftovers == []


async def test_a_drained_node_finishes_what_runs_and_takes_nothing_new(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools, drain_grace=20) as running:
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        running.shutdown.ask()
        await control.until(lambda: control.polls[-1].free.cpu_threads == 0)
        beaten = len(control.beats)
        await control.until(lambda: len(control.beats) > beaten + 2)
        assert [attempt.ref for attempt in control.beats[-1].attempts] == [ref]
        await control.stop(ref)
        await running.ended()
    assert ref in control.reports


async def test_what_does_not_end_within_the_grace_is_handed_back(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools, drain_grace=0.1) as running:
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        running.shutdown.ask()
        await running.ended()
    assert isinstance(control.reports[ref], HandedBack)
    assert tools.alive() == []
    assert running.leftovers == []


async def test_a_second_signal_stops_at_once_and_hands_back(control: ControlPlane, tools: Tools, state: Path) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools, drain_grace=3600) as running:
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        running.shutdown.ask()
        running.shutdown.ask()
        await running.ended()
    assert isinstance(control.reports[ref], HandedBack)
    assert tools.alive() == []
    assert running.leftovers == []


async def test_a_node_that_was_never_answered_can_be_shut_down(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    control.is_away = True
    async with node(control.url, state, tools) as running:
        await eventually(running.state.facts.exists)
        running.shutdown.ask()
        await running.ended()


async def test_an_order_that_crosses_with_the_drain_is_handed_back_untried(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools) as running:
        busy = await control.grant("tk_1")
        await control.until(lambda: "encoding" in control.phases(busy) and tools.alive())
        running.shutdown.ask()
        late = await control.grant("tk_2")
        await control.order(control.orders[late])
        await control.until(lambda: late in control.reports)
        assert control.reports[late] == HandedBack(reason="The node takes no new work.")
        running.shutdown.ask()
        await running.ended()
    assert len(tools.pids()) == 1


async def test_an_order_to_drain_holds_until_the_order_to_resume(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    control.timings = control.timings.model_copy(update={"beat_interval": 3600})
    async with node(control.url, state, tools):
        await control.until(lambda: control.polls)
        await control.order(Drain())
        await control.until(lambda: control.polls[-1].free.cpu_threads == 0)
        ref = await control.grant()
        await control.order(Resume())
        await control.until(lambda: ref in control.reports)


async def test_a_revoked_node_ends_everything_it_runs(control: ControlPlane, tools: Tools, state: Path) -> None:
    tools.behave("hangs")
    async with node(control.url, state, tools) as running:
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        control.is_revoked = True
        with pytest.raises(ExceptionGroup) as ended:
            await running.ended()
    assert ended.group_contains(Revoked)
    assert tools.alive() == []
    assert list(running.state.work.iterdir()) == []


async def test_of_two_agents_with_one_identity_the_older_ends(
    control: ControlPlane, tools: Tools, state: Path, tmp_path: Path
) -> None:
    control.timings = control.timings.model_copy(update={"poll_wait": 0.05})
    async with node(control.url, state, tools) as older:
        await control.until(lambda: control.polls)
        async with node(control.url, tmp_path / "clone", tools) as newer:
            with pytest.raises(ExceptionGroup) as ended:
                await older.ended()
            assert not newer.task.done()
    assert ended.group_contains(Superseded)


async def test_two_agents_never_share_a_state(control: ControlPlane, tools: Tools, state: Path) -> None:
    async with node(control.url, state, tools):
        with pytest.raises(StateInUse):
            async with node(control.url, state, tools):
                pass


async def test_a_killed_agent_leaves_no_encoder_and_the_next_one_cleans_up_and_does_the_work(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    ref = await killed_while_it_encodes(control, tools, state)
    assert [(entry.ref, entry.phase) for entry in Journal(state / "journal").entries()] == [(ref, Phase.ENCODING)]
    assert len(list((state / "work").iterdir())) == 1
    tools.behave("honest")
    async with node(control.url, state, tools) as again:
        await control.until(lambda: len(control.reports) == 1)
        again.shutdown.ask()
        await again.ended()
    ((reported, outcome),) = control.reports.items()
    assert (reported.task_id, reported.attempt) == (ref.task_id, 2)
    assert isinstance(outcome, Finished)
    assert control.hellos[-1].unreported == ()
    assert control.hellos[-1].interrupted == (Interruption(ref=ref, by="kill", phase=Phase.ENCODING),)
    assert control.hellos[-1].before == (control.hellos[0].boot_id,)
    assert again.leftovers == []


async def test_a_node_that_is_killed_again_and_again_does_the_work_once(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    """Killed right after the accept, after an upload, and after a report whose answer was lost."""
    first = await control.grant()
    moments: tuple[Callable[[], object], ...] = (
        lambda: control.leases[first] is Lease.ACCEPTED,
        lambda: any(ref.attempt == 2 for ref in control.staged),
        lambda: control.reports,
    )
    for moment in moments:
        if moment is moments[-1]:
            control.loses_answers_of = {"report"}
        async with killable(control.url, state, tools) as process:
            await control.until(moment)
            process.kill()
            await process.wait()
    async with node(control.url, state, tools) as last:
        await control.until(lambda: len(control.hellos) == 4)
        last.shutdown.ask()
        await last.ended()
    ((ref, outcome),) = control.reports.items()
    assert (ref.task_id, ref.attempt) == (first.task_id, 3)
    assert isinstance(outcome, Finished)
    assert last.leftovers == []
    assert tools.alive() == []


async def test_an_order_to_probe_again_is_answered_with_a_hello_of_the_same_boot(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    async with node(control.url, state, tools):
        await control.until(lambda: control.polls)
        await control.order(Reprobe())
        await control.until(lambda: len(control.hellos) == 2)
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    assert control.hellos[0].boot_id == control.hellos[1].boot_id


async def test_an_order_that_names_a_place_outside_is_ignored(control: ControlPlane, tools: Tools, state: Path) -> None:
    async with node(control.url, state, tools):
        evil = a_start("../../tk")
        await control.order(evil)
        ref = await control.grant()
        await control.until(lambda: ref in control.reports)
    assert list(control.reports) == [ref]


async def test_how_an_attempt_ended_is_told_until_somebody_has_heard_it(
    control: ControlPlane, tools: Tools, state: Path
) -> None:
    """A start that ends before its hello is answered takes nothing with it."""
    ref = await killed_while_it_encodes(control, tools, state)
    control.is_away = True
    async with node(control.url, state, tools) as unheard:
        await eventually(lambda: len(Starts(unheard.state.starts).begin(BootId("look"))) > 1)
        unheard.shutdown.ask()
        await unheard.ended()
    control.is_away = False
    tools.behave("honest")
    async with node(control.url, state, tools) as heard:
        await control.until(lambda: len(control.hellos) == 2)
        heard.shutdown.ask()
        await heard.ended()
    assert [told.ref for told in control.hellos[-1].interrupted] == [ref]
    assert control.hellos[-1].before is not None
    assert control.hellos[-1].before[0] == control.hellos[0].boot_id
    assert len(control.hellos[-1].before) > 1
    assert Journal(state / "journal").entries() == []


async def test_a_clean_end_leaves_nothing_to_tell(control: ControlPlane, tools: Tools, state: Path) -> None:
    for count in (1, 2):
        async with node(control.url, state, tools) as running:
            await control.until(lambda count=count: len(control.polls) and len(control.hellos) == count)  # type: ignore[misc]
            running.shutdown.ask()
            await running.ended()
    assert [hello.interrupted for hello in control.hellos] == [(), ()]
    assert control.hellos[1].before == (control.hellos[0].boot_id,)


async def killed_while_it_encodes(control: ControlPlane, tools: Tools, state: Path) -> AttemptRef:
    tools.behave("hangs")
    async with killable(control.url, state, tools) as process:
        ref = await control.grant()
        await control.until(lambda: "encoding" in control.phases(ref) and tools.alive())
        process.kill()
        await process.wait()
    await eventually(lambda: not tools.alive())
    return ref


@contextlib.asynccontextmanager
async def killable(url: str, state: Path, tools: Tools) -> AsyncIterator[asyncio.subprocess.Process]:
    """An agent in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.agent.nodes", url, str(state), str(tools.directory)),
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
