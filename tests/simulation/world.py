"""One simulated site: a control plane, its nodes, its tenants, and a while of bad luck, after which everything has to be right."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from controlplane.auth.principal import Principal
from controlplane.http import keys
from shared.errors import StorageFull, TranscoderError, Unavailable
from shared.ids import ClusterId, JobId, NodeId
from shared.jobspec import JobDocument
from shared.protocol import EnrolRequest
from tests.builders import a_document, mp4_settings
from tests.simulation import checks
from tests.simulation.chance import Weather
from tests.simulation.history import History
from tests.simulation.loop import LoopClock, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.node import Node
from tests.simulation.server import Down, Server

HOUR = 3600.0
NODES = 4
TENANTS = ("acme", "globex", "initech")
BETWEEN_SUBMISSIONS = 25.0
SETTLES_WITHIN = 2.5 * HOUR
"""After the faults stop: every attempt anew, each after a lease's end, and an amnesty."""


def simulate(seed: int, weather: Weather, *, hours: float = 1.0, trace: bool = False) -> History:
    """Runs one history to its end. Raises Violation."""
    chance = random.Random(seed)
    history = History(trace=[] if trace else None)
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    home = Path(tempfile.mkdtemp(prefix="simulation-", dir=memory))
    loop = VirtualLoop(chance)
    try:
        with _seeded_entropy(chance), structlog.testing.capture_logs() as logged:
            loop.run_until_complete(World(home, weather, chance, history).run(hours * HOUR))
        checks.nothing_crashed(logged)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        shutil.rmtree(home, ignore_errors=True)
    return history


@contextlib.contextmanager
def _seeded_entropy(chance: random.Random) -> Iterator[None]:
    """Ids and leases are random; here they follow from the seed as well."""
    urandom, token_hex, token_bytes = os.urandom, secrets.token_hex, secrets.token_bytes
    os.urandom = chance.randbytes
    secrets.token_hex = lambda count=32: chance.randbytes(count).hex()  # type: ignore[assignment]
    secrets.token_bytes = lambda count=32: chance.randbytes(count)  # type: ignore[assignment]
    try:
        yield
    finally:
        os.urandom, secrets.token_hex, secrets.token_bytes = urandom, token_hex, token_bytes


class World:
    def __init__(self, home: Path, weather: Weather, chance: random.Random, history: History) -> None:
        self._home = home
        self._weather = weather
        self._chance = chance
        self._history = history
        self._nodes: list[Node] = []
        self._callers: list[tuple[Principal, str]] = []
        self._open: list[tuple[Principal, JobId]] = []

    async def run(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._clock = LoopClock(loop, 1_763_750_000_000)
        (self._home / "server").mkdir()
        self._server = Server(self._home / "server", self._clock)
        self._network = Network(self._server, self._weather, self._chance, self._history)
        await self._server.start()
        await self._furnish()
        end = loop.time() + seconds
        weather = self._weather
        async with asyncio.TaskGroup() as group:
            for deed, pause in (
                (self._submit, BETWEEN_SUBMISSIONS),
                (self._meddle, BETWEEN_SUBMISSIONS),
                (self._cut, weather.between_cuts),
                (self._crash_node, weather.between_crashes_of_nodes),
                (self._crash_server, weather.between_crashes_of_server),
                (self._set_clock, weather.between_clock_steps),
            ):
                group.create_task(self._now_and_then(deed, pause, end))
        self._network.weather = replace(self._weather, request_lost=0, answer_lost=0, repeated=0, slow=0)
        self._network.heal()
        await self._settle()
        for node in self._nodes:
            await node.drain()
        await self._network.close()
        await checks.at_the_end(self._server, self._history)
        await self._server.stop()

    async def _now_and_then(self, deed: Callable[[], Awaitable[None]], pause: float, end: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wait = self._chance.expovariate(1 / pause)
            if loop.time() + wait > end:
                return
            await asyncio.sleep(wait)
            await deed()
            checks.always(self._server, self._history)

    async def _furnish(self) -> None:
        app = self._server.app
        cluster_id = ClusterId("paris-1")
        await app[keys.CLUSTERS].create(cluster_id, "Paris")
        for name in TENANTS:
            tenant = await app[keys.TENANTS].create(name, 1)
            _, key = await app[keys.TENANTS].create_first_key(tenant.id, "simulation", None)
            principal = await app[keys.BEARERS].principal(f"Bearer {key}", lambda: "127.0.0.1")
            await app[keys.BUCKETS].create(tenant.id, "media", None)
            pipeline = await app[keys.PIPELINES].create(
                tenant.id, name="all", input_bucket="media", output_bucket="media", thumbnail_bucket=None
            )
            self._callers.append((principal, pipeline.id))
        for number in range(NODES):
            token, _ = await app[keys.CLUSTERS].join_token(cluster_id, {}, 3600)
            made = await app[keys.CLUSTERS].enrol(EnrolRequest(join_token=token, hostname=f"edge-{number}"))
            node = Node(
                NodeId(made.node_id),
                made.credential,
                self._home / f"node-{number}",
                self._network,
                self._chance,
                self._history,
            )
            node.start()
            self._nodes.append(node)

    async def _persistently(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """As our own clients do: again with the same token, until there is an answer."""
        while True:
            try:
                answer = await self._server.serve(call())  # type: ignore[arg-type]
                if self._chance.random() >= self._weather.answer_lost:
                    return answer
            except (Down, Unavailable, StorageFull):
                pass
            await asyncio.sleep(self._chance.uniform(0.5, 5))

    async def _submit(self) -> None:
        principal, pipeline_id = self._chance.choice(self._callers)
        token = f"order-{len(self._history.acknowledged)}-{self._chance.randbytes(4).hex()}"
        document = a_document(
            pipeline_id,
            outputs=[{"key": f"{token}.mp4", "settings": mp4_settings()}],
            priority=self._chance.choice((0, 0, 0, 5)),
            start=self._chance.choice(("auto", "auto", "auto", "manual")),
        )
        sent = json.dumps(document).encode()

        async def call() -> Any:
            jobs = self._server.app[keys.JOBS]
            return await jobs.submit(principal, JobDocument.model_validate_json(sent), jobs.identity(token, sent))

        made = await self._persistently(call)
        self._history.submitted(made.job.id, token)
        self._history.tell(asyncio.get_running_loop().time(), "submitted", made.job.id)
        self._open.append((principal, made.job.id))

    async def _meddle(self) -> None:
        """A tenant cancels, stops or starts something; a refusal is an answer too."""
        if not self._open:
            return
        principal, job_id = self._chance.choice(self._open[-20:])
        deed = self._chance.choice(("cancel", "stop", "start"))

        async def call() -> Any:
            try:
                return await getattr(self._server.app[keys.JOBS], deed)(principal.tenant, job_id)
            except (Unavailable, StorageFull):
                raise
            except TranscoderError as error:
                return error

        answer = await self._persistently(call)
        told = answer.code if isinstance(answer, TranscoderError) else "ok"
        self._history.tell(asyncio.get_running_loop().time(), deed, job_id, told)
        if told == "ok":
            {"cancel": self._history.canceled, "stop": self._history.stopped, "start": set()}[deed].add(job_id)

    async def _cut(self) -> None:
        seconds = self._chance.uniform(1, self._weather.longest_cut)
        many = self._nodes if self._chance.random() < 0.3 else [self._chance.choice(self._nodes)]
        for node in many:
            self._network.cut(node.node_id, seconds)
        self._history.tell(asyncio.get_running_loop().time(), "cut", len(many), seconds)

    async def _crash_node(self) -> None:
        node = self._chance.choice(self._nodes)
        await node.kill()
        self._history.tell(asyncio.get_running_loop().time(), "killed", node.node_id)
        await asyncio.sleep(self._chance.uniform(0.5, self._weather.longest_downtime))
        node.start()

    async def _crash_server(self) -> None:
        await self._server.kill()
        self._history.tell(asyncio.get_running_loop().time(), "killed the control plane")
        await asyncio.sleep(self._chance.uniform(0.5, self._weather.longest_downtime))
        await self._server.start()

    async def _set_clock(self) -> None:
        """Of the control plane, or of a node: nothing may depend on its being right."""
        largest = self._weather.largest_clock_step
        step = self._chance.uniform(-largest, largest)
        self._chance.choice([self._clock, *(node.clock for node in self._nodes)]).set_by(step)
        self._history.tell(asyncio.get_running_loop().time(), "set a clock by", step)

    async def _settle(self) -> None:
        """The faults are over: everything that was acknowledged ends."""
        await self._start_held()
        end = asyncio.get_running_loop().time() + SETTLES_WITHIN
        while asyncio.get_running_loop().time() < end:
            if not await checks.unfinished(self._server):
                return
            await asyncio.sleep(10)

    async def _start_held(self) -> None:
        for principal, job_id in self._open:
            with contextlib.suppress(TranscoderError):
                await self._server.app[keys.JOBS].start(principal.tenant, job_id)
