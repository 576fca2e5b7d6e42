"""The way between nodes and control plane: messages are lost, late, repeated, and sometimes nothing gets through at all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from agent.client import ControlPlane
from agent.refusals import Problem, Unreachable, refusal_of
from controlplane.api.problems import STATUS
from shared.errors import TranscoderError
from shared.ids import NodeId
from shared.models import Message
from shared.protocol import Timings
from tests.simulation.chance import Weather
from tests.simulation.history import History
from tests.simulation.server import Down, Server

AnswerT = TypeVar("AnswerT", bound=Message)
T = TypeVar("T")


class Network:
    def __init__(self, server: Server, weather: Weather, chance: random.Random, history: History) -> None:
        self.server = server
        self.weather = weather
        self._chance = chance
        self._history = history
        self._cut_until: dict[NodeId, float] = {}
        self._repeats: set[asyncio.Task[None]] = set()

    def cut(self, node_id: NodeId, seconds: float) -> None:
        self._cut_until[node_id] = asyncio.get_running_loop().time() + seconds

    def heal(self) -> None:
        self._cut_until.clear()

    async def carry(
        self,
        node_id: NodeId,
        name: str,
        deliver: Callable[[], Awaitable[T]],
        timeout: float,
        *,
        repeatable: bool = True,
    ) -> T:
        """One message there and its answer back. Raises Unreachable, or the refusal as the agent's client would."""
        await self._travel(node_id, timeout)
        if self._chance.random() < self.weather.request_lost:
            await self._lose(timeout)
        if repeatable and self._chance.random() < self.weather.repeated:
            self._repeat(node_id, name, deliver)
        try:
            async with asyncio.timeout(timeout):
                answer = await deliver()
        except (Down, TimeoutError) as error:
            raise Unreachable(str(type(error).__name__)) from error
        except TranscoderError as error:
            self._history.tell(self._now, node_id, name, error.code)
            problem = Problem(code=error.code, detail=error.detail, retry_after=error.retry_after)
            raise refusal_of(STATUS[error.code], problem, error.retry_after) from error
        if self._chance.random() < self.weather.answer_lost:
            await self._lose(timeout)
        await self._travel(node_id, timeout)
        self._history.tell(self._now, node_id, name)
        return answer

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _travel(self, node_id: NodeId, timeout: float) -> None:
        is_slow = self._chance.random() < self.weather.slow
        await asyncio.sleep(self._chance.uniform(0.001, self.weather.slowest if is_slow else 0.05))
        if self._cut_until.get(node_id, 0) > self._now:
            await self._lose(timeout)

    async def _lose(self, timeout: float) -> None:
        await asyncio.sleep(timeout)
        raise Unreachable("lost")

    def _repeat(self, node_id: NodeId, name: str, deliver: Callable[[], Awaitable[Any]]) -> None:
        """A copy that comes later, perhaps much later; nobody hears its answer."""

        async def again() -> None:
            await asyncio.sleep(self._chance.uniform(0, self.weather.latest_repeat))
            try:
                async with asyncio.timeout(60):
                    await deliver()
                self._history.tell(self._now, node_id, name, "repeated")
            except (Down, TranscoderError, TimeoutError) as error:
                self._history.tell(self._now, node_id, name, "repeated in vain", type(error).__name__)

        task = asyncio.get_running_loop().create_task(again())
        self._repeats.add(task)
        task.add_done_callback(self._repeats.discard)

    async def close(self) -> None:
        for task in self._repeats:
            task.cancel()
        await asyncio.gather(*self._repeats, return_exceptions=True)


class Client(ControlPlane):
    """The agent's own client with the network of the simulation where its sockets were."""

    def __init__(self, network: Network, node_id: NodeId, credential: str, **timing: Any) -> None:
        super().__init__("http://simulation", credential, **timing)
        self._network = network
        self._node_id = node_id
        self.timings = Timings()
        self.is_dead = False

    async def __aenter__(self) -> Client:
        self._calls = self._beats = self._transfers = None  # type: ignore[assignment]
        return self

    async def _call(
        self, session: Any, name: str, request: Message, answer: type[AnswerT], *, timeout: float = 30.0
    ) -> AnswerT:
        body = request.model_dump_json().encode()
        authorization = self._authorization["Authorization"]
        server = self._network.server

        async def deliver() -> bytes:
            return await server.serve(server.call(name, authorization, body))

        told = answer.model_validate_json(await self._carried(name, deliver, timeout, repeatable=name != "poll"))
        self.timings = getattr(told, "timings", self.timings)
        return told

    async def upload(self, url: str, file: Path, size: int) -> None:
        server, content = self._network.server, file.read_bytes()
        await self._carried("put", lambda: server.serve(server.put(url, content)), 30.0)

    async def _carried(
        self, name: str, deliver: Callable[[], Awaitable[T]], timeout: float, *, repeatable: bool = True
    ) -> T:
        """What a killed agent still tries to say while its tasks are taken down, nobody hears."""
        if self.is_dead:
            raise Unreachable("killed")
        return await self._network.carry(self._node_id, name, deliver, timeout, repeatable=repeatable)
