"""Results in line for their storage: one that is slow, or broken, holds up nobody else's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from controlplane.domain.results import objects_of
from controlplane.services.settling import Results

MOST_AT_WORK: Final = 16
"""On one storage: each waits for its disk most of the time, and a disk takes many together."""
PATIENCE: Final = 0.1
"""Seconds that results wait for those before them. While these are quick, whoever came meanwhile goes in one go."""
MOST_RESULTS: Final = 32
MOST_OBJECTS: Final = 64
"""Published in one go: whoever comes next waits for all of them."""


@dataclass
class _Line:
    waiting: deque[tuple[float, Results]] = field(default_factory=deque)
    """And since when."""
    at_work: int = 0
    help_comes: asyncio.TimerHandle | None = None


class Lines:
    """One is at work for each storage, and another for as long as that one does not get to who waits."""

    def __init__(self, group: asyncio.TaskGroup, publish: Callable[[str, Sequence[Results]], Awaitable[None]]) -> None:
        self._group = group
        self._publish = publish
        self._lines: dict[str, _Line] = {}

    def put(self, results: Results) -> None:
        line = self._lines.setdefault(results.storage, _Line())
        line.waiting.append((_now(), results))
        if not line.at_work:
            self._begin(results.storage, line)
        elif line.help_comes is None:
            self._call_help(line)

    def close(self) -> None:
        for line in self._lines.values():
            if line.help_comes is not None:
                line.help_comes.cancel()

    def _begin(self, storage: str, line: _Line) -> None:
        line.at_work += 1
        self._group.create_task(self._serve(storage, line), name=f"publishing to {storage}")

    async def _serve(self, storage: str, line: _Line) -> None:
        """Whatever waits, until nothing does."""
        while batch := _next_of(line.waiting):
            await self._publish(storage, batch)
        line.at_work -= 1
        if not line.at_work:
            del self._lines[storage]

    def _call_help(self, line: _Line) -> None:
        line.help_comes = asyncio.get_running_loop().call_later(PATIENCE, self._help, line)

    def _help(self, line: _Line) -> None:
        line.help_comes = None
        if not line.waiting:
            return
        since, results = line.waiting[0]
        if _now() - since >= PATIENCE and line.at_work < MOST_AT_WORK:
            self._begin(results.storage, line)
        self._call_help(line)


def _next_of(waiting: deque[tuple[float, Results]]) -> list[Results]:
    """What is published in one go: many that are small, or one that is large."""
    taken: list[Results] = []
    objects = 0
    while waiting and len(taken) < MOST_RESULTS:
        _, results = waiting[0]
        objects += len(objects_of(results.finished))
        if taken and objects > MOST_OBJECTS:
            break
        waiting.popleft()
        taken.append(results)
    return taken


def _now() -> float:
    return asyncio.get_running_loop().time()
