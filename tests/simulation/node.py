"""An agent as one process that can be killed: the real one, with an ffmpeg that only takes time."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

from agent.app import Agent, Service, Shutdown, clear_leftovers
from agent.capacity import Surroundings
from agent.jobs.attempt import Attempt, EndReason
from agent.jobs.failure import AttemptFailed
from agent.jobs.probing import tell_probed
from agent.jobs.publish import publish
from agent.jobs.runner import Runner
from agent.jobs.transcode import Note
from agent.jobs.workspace import Workspace
from agent.racing import Interrupted, unless
from agent.sandbox import Sandbox
from agent.settings import Settings
from agent.state import State
from shared.capacity import NodeFacts
from shared.errors import StaleLease
from shared.failures import Cause, Failure, FailureCode
from shared.ids import NodeId
from shared.protocol import DetectedProperties, Failed, Finished, Outcome, OutputResult, ProducedObject, StagedFile
from shared.statuses import JobStatus, Phase
from tests.builders import a_capacity, some_facts
from tests.simulation.history import History
from tests.simulation.loop import LoopClock
from tests.simulation.network import Client, Network

SHORTEST, LONGEST = 5.0, 240.0
"""Seconds that a stand-in for ffmpeg takes."""
FOUND = (DetectedProperties(width=640, height=360, duration=1.0, size=10),)
FAULTS = ((0.04, Cause.NODE), (0.02, Cause.INPUT), (0.02, Cause.UNKNOWN))


class SimulatedRunner(Runner):
    """Works as the real one does, but for what ffmpeg would have done."""

    history: History
    chance: random.Random

    async def _outcome(self, attempt: Attempt, space: Workspace, note: Note) -> Outcome | None:
        loop = asyncio.get_running_loop()
        self.history.began(attempt.job_id, attempt.ref)
        self.history.tell(loop.time(), "began", attempt.ref.task_id, attempt.ref.attempt)
        await note(Phase.ENCODING)
        try:
            return await self._encoded(attempt, space)
        except Interrupted:
            return None
        except StaleLease:
            attempt.end(EndReason.DROPPED)
            return None
        except AttemptFailed as failed:
            return self._failed(failed.failure)

    async def _encoded(self, attempt: Attempt, space: Workspace) -> Outcome:
        await unless(attempt.stop.wait(), tell_probed(self._client, attempt, FOUND))
        attempt.reach(Phase.ENCODING)
        await unless(attempt.stop.wait(), asyncio.sleep(self.chance.uniform(SHORTEST, LONGEST)))
        roll = self.chance.random()
        for share, cause in FAULTS:
            if roll < share:
                return self._failed(Failure(cause=cause, code=FailureCode.NODE_FAULT, message="It broke."))
            roll -= share
        (output,) = attempt.order.payload.outputs
        content = evidence(attempt)
        file = space.out / "made.mp4"
        file.write_bytes(content)
        made = StagedFile(name=file.name, size=len(content))
        await unless(attempt.stop.wait(), publish(self._client, attempt.ref, space.out, [made], lambda _: None))
        produced = ProducedObject(name=file.name, key=output.key, size=len(content), role="media")
        return Finished(
            inputs=FOUND,
            outputs=(OutputResult(index=0, status=JobStatus.COMPLETE, objects=(produced,), duration=1.0),),
            encode_seconds=1.0,
        )

    def _failed(self, failure: Failure) -> Outcome:
        return Failed(failure=failure)


def evidence(attempt: Attempt) -> bytes:
    """What this attempt, and no other, writes: so that what is published tells who made it."""
    return f"{attempt.ref.task_id} {attempt.ref.attempt:06d} {attempt.ref.lease_id}".encode()


class Node:
    def __init__(
        self, node_id: NodeId, credential: str, home: Path, network: Network, chance: random.Random, history: History
    ) -> None:
        self.node_id = node_id
        self._credential = credential
        self._home = home
        self._network = network
        self._chance = chance
        self._history = history
        self._lives = 0
        self._running: asyncio.Task[None] | None = None
        self.clock = LoopClock(
            asyncio.get_running_loop(),
            1_763_750_000_000 + chance.randrange(-3_600_000, 3_600_000),
            drift=chance.uniform(0.9, 1.1),
        )
        threads = chance.choice((2, 4, 8))
        self._facts: NodeFacts = some_facts(a_capacity(threads=threads))

    def start(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self._live(), name=f"agent {self.node_id}")

    async def kill(self) -> None:
        """What is on its disk now is what the next life finds; whatever cleaning up does from here on is lost."""
        assert self._running is not None
        self._client.is_dead = True
        before, self._lives = self._state, self._lives + 1
        shutil.copytree(before, self._state)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        shutil.rmtree(before)

    async def drain(self) -> None:
        """What systemd does when it stops the unit."""
        assert self._running is not None
        self._shutdown.ask()
        await self._running

    @property
    def _state(self) -> Path:
        return self._home / str(self._lives)

    async def _live(self) -> None:
        self._shutdown = Shutdown()
        settings = Settings(state=self._state)
        state = State(self._state)
        timing = {"clock": self.clock, "randomly": self._chance.random}
        self._client = Client(self._network, self.node_id, self._credential, **timing)
        sandbox: Sandbox = None  # type: ignore[assignment]
        with state.claimed():
            interrupted = clear_leftovers(state)
            agent = Agent(settings, state, self._client, sandbox, clock=self.clock, randomly=self._chance.random)
            async with self._client:
                service = Service(agent, Surroundings(settings, sandbox, state.work), self._facts, interrupted)
                service._runner = self._simulated(service)
                await service.run(self._shutdown)

    def _simulated(self, service: Service) -> SimulatedRunner:
        runner = SimulatedRunner.__new__(SimulatedRunner)
        runner.__dict__.update(service._runner.__dict__, history=self._history, chance=self._chance)
        return runner
