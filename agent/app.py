"""The agent as a whole: what it is made of, and the order in which it starts and stops."""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import dataclass, field
from functools import partial

import structlog

from agent.backoff import Random, Sleep
from agent.capacity import Surroundings, probe_all, space
from agent.client import CLOCK_ALARM, ControlPlane
from agent.files import remove_drafts, write_durably
from agent.jobs.journal import Journal, interruption, kill_strangers
from agent.jobs.outbox import Outbox
from agent.jobs.runner import Runner
from agent.jobs.slots import Slots
from agent.jobs.workload import Workload
from agent.jobs.workspace import remove_leftovers
from agent.loops.cards import Cards
from agent.loops.disk import DiskGuard
from agent.loops.heartbeat import Heartbeat, Watching
from agent.loops.logs import Logs
from agent.loops.orders import Orders
from agent.loops.reports import Reports
from agent.loops.reprobing import Reprobing
from agent.loops.timing import Timing
from agent.loops.watchdog import Notifier, Watchdog
from agent.racing import Interrupted, unless
from agent.sandbox import Sandbox
from agent.settings import Settings
from agent.starts import Starts, machine_boot
from agent.state import State
from agent.vigil import Patience
from shared.capacity import NodeFacts
from shared.clock import Clock, SystemClock
from shared.ids import BootId, prefixed_id
from shared.protocol import HelloRequest, Interruption

log = structlog.get_logger()


class Shutdown:
    """Asked for once, the agent drains; asked for again, it stops what runs."""

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self.stopping = asyncio.Event()

    def ask(self) -> None:
        (self.stopping if self.draining.is_set() else self.draining).set()


@dataclass(frozen=True)
class Agent:
    settings: Settings
    state: State
    """Claimed: nobody else works in it."""
    client: ControlPlane
    sandbox: Sandbox
    notifier: Notifier = field(default_factory=lambda: Notifier(None))
    watchdog_every: float | None = None
    clock: Clock = field(default_factory=SystemClock)
    sleep: Sleep = asyncio.sleep
    randomly: Random = random.random

    async def run(self, shutdown: Shutdown) -> None:
        """Until it is shut down. Raises a group with Revoked or ProtocolTooOld when the control plane wants it no more."""
        interrupted = await asyncio.to_thread(clear_leftovers, self.state)
        around = Surroundings(self.settings, self.sandbox, self.state.work)
        facts = await probe_all(around)
        service = Service(self, around, facts, interrupted)
        gc.freeze()  # here, once in a process: a service that ends is collected
        async with self.client:
            await service.run(shutdown)
        log.info("agent.ended")


class Service:
    """One start of an agent, from hello to its end."""

    def __init__(
        self, agent: Agent, around: Surroundings, facts: NodeFacts, interrupted: tuple[Interruption, ...]
    ) -> None:
        self._settings = agent.settings
        self._client = agent.client
        self._notifier = agent.notifier
        self._state = state = agent.state
        self._around = around
        self._facts = facts
        self._interrupted = interrupted
        self._boot_id = BootId(prefixed_id("bt", agent.clock.now_ms()))
        self._starts = Starts(state.starts)
        self._before: tuple[BootId, ...] = ()
        self._timing = Timing(agent.clock, agent.sleep, agent.randomly)
        self._watchdog = Watchdog(agent.notifier, agent.watchdog_every, timing=self._timing)
        self._outbox = Outbox(state.outbox, agent.clock)
        self._journal = Journal(state.journal)
        self._disk = partial(space, state.work, agent.settings.scratch_reserve)
        self._slots = Slots(facts.capacity, disk=self._disk)
        self._runner = Runner(
            client=agent.client,
            sandbox=agent.sandbox,
            journal=self._journal,
            outbox=self._outbox,
            work=state.work,
            slots=self._slots,
            scratch_left=lambda: self._disk().left,
            patience=patience_of(agent.settings),
            clock=agent.clock,
        )

    async def run(self, shutdown: Shutdown) -> None:
        """The loops outlive the work, and the beats outlive all: a lease that nobody renews is taken away."""
        async with asyncio.TaskGroup() as loops:
            self._background = [loops.create_task(self._watchdog.run(), name="watchdog")]
            self._notifier.tell("READY=1", "STATUS=Waiting for the control plane.")
            if (draining := await self._greet(shutdown)) is not None:
                await self._work(loops, shutdown, draining)
                await self._send_last_reports()
            self._end_background()

    async def _greet(self, shutdown: Shutdown) -> bool | None:
        """Whether to take no work yet, says the answer to the hello; None when the shutdown came before it."""
        await self._note_facts()
        self._before = await asyncio.to_thread(self._starts.begin, self._boot_id)
        try:
            answer = await unless(shutdown.draining.wait(), self._client.hello(self._hello()))
        except Interrupted:
            log.info("agent.shut_down_unheard")
            return None
        await asyncio.to_thread(self._settle_past)
        log.info("agent.greeted", boot_id=self._boot_id, draining=answer.draining, gpu_note=self._facts.gpu_note)
        skew = self._client.clock_skew
        if skew is not None and abs(skew) > CLOCK_ALARM:
            log.warning(
                "clock.skewed", seconds=round(skew, 1), fix="synchronise this machine's clock: timedatectl set-ntp true"
            )
        return answer.draining

    def _settle_past(self) -> None:
        """The control plane knows now what became of earlier starts; not before, or a crash on the way would hide it."""
        self._starts.answered(self._boot_id)
        self._journal.clear()
        self._interrupted = ()

    async def _work(self, loops: asyncio.TaskGroup, shutdown: Shutdown, draining: bool) -> None:
        """From the first poll until the last attempt has ended."""
        async with asyncio.TaskGroup() as attempts:
            workload = Workload(attempts, self._runner, self._slots, self._outbox)
            workload.pause(draining)
            self._start(loops, workload)
            self._notifier.tell("STATUS=Working.")
            await shutdown.draining.wait()
            await self._drain(workload, shutdown)

    def _start(self, loops: asyncio.TaskGroup, workload: Workload) -> None:
        client, boot_id, timing = self._client, self._boot_id, self._timing
        reprobing = Reprobing(workload, self._probe_again, timing=timing)
        running = {
            "heartbeat": Heartbeat(client, workload, self._outbox, boot_id, reprobing=reprobing, timing=timing).run(),
            "watching": Watching(client, workload, boot_id, timing=timing).run(),
            "reports": Reports(client, self._outbox, timing=timing).run(),
            "logs": Logs(client, workload, timing=timing).run(),
            "disk": DiskGuard(workload, self._disk, timing=timing).run(),
            "cards": Cards(self._slots, reprobe=reprobing.ask, timing=timing).run(),
            "orders": Orders(client, workload, boot_id, reprobing=reprobing, timing=timing).run(),
            "reprobing": reprobing.run(),
        }
        self._background += [loops.create_task(loop, name=name) for name, loop in running.items()]

    def _end_background(self) -> None:
        for task in self._background:
            task.cancel()

    async def _probe_again(self) -> None:
        self._facts = await probe_all(self._around)
        self._slots.resize(self._facts.capacity)
        await self._note_facts()
        await self._client.hello(self._hello())
        log.info("agent.probed_again", gpu_note=self._facts.gpu_note)

    async def _drain(self, workload: Workload, shutdown: Shutdown) -> None:
        """Take nothing new and wait for what runs; hand it back when the grace is over or the second signal comes."""
        log.info("agent.draining", running=len(workload.running()))
        self._notifier.tell("STOPPING=1", "STATUS=Draining.")
        workload.close()
        try:
            async with asyncio.timeout(self._settings.drain_grace.total_seconds()):
                await unless(shutdown.stopping.wait(), workload.wait_idle())
        except (TimeoutError, Interrupted):
            log.info("agent.handing_back", running=len(workload.running()))
            workload.hand_back_all("The node shuts down.")
            await workload.wait_idle()

    async def _send_last_reports(self) -> None:
        """What is not answered in time is kept, and sent at the next start."""
        try:
            async with asyncio.timeout(self._settings.report_grace.total_seconds()):
                await self._outbox.emptied.wait()
        except TimeoutError:
            log.warning("agent.reports_left", count=len(self._outbox.refs()))

    async def _note_facts(self) -> None:
        """For `agent status` alone: a disk that cannot take them is no reason to end."""
        content = self._facts.model_dump_json(indent=2).encode()
        try:
            await asyncio.to_thread(write_durably, self._state.facts, content)
        except OSError as error:
            log.error("facts.not_on_disk", reason=str(error))

    def _hello(self) -> HelloRequest:
        return HelloRequest(
            boot_id=self._boot_id,
            before=self._before,
            facts=self._facts,
            unreported=self._outbox.refs(),
            interrupted=self._interrupted,
        )


def patience_of(settings: Settings) -> Patience:
    return Patience(
        starting=settings.stall_starting.total_seconds(),
        working=settings.stall_working.total_seconds(),
        finishing=settings.stall_finishing.total_seconds(),
    )


def clear_leftovers(state: State) -> tuple[Interruption, ...]:
    """What an agent that was killed left behind is removed; how its attempts ended is told."""
    machine = machine_boot()
    interrupted = tuple(interruption(entry, machine=machine) for entry in Journal(state.journal).entries())
    killed = kill_strangers(state.work)
    removed = remove_leftovers(state.work)
    for directory in (state.root, state.journal, state.outbox):
        remove_drafts(directory)
    if interrupted or killed or removed:
        attempts = [(left.ref.task_id, left.ref.attempt, left.by, left.phase) for left in interrupted]
        log.warning("agent.cleared_leftovers", interrupted=attempts, killed=killed, workspaces=removed)
    return interrupted
