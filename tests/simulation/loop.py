"""An event loop whose time passes only when nothing is left to do, and which runs what is ready in any order."""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
from collections.abc import Callable
from typing import Any

DISK_SECONDS = 0.002
"""How long work in a thread takes at most: a commit, a file."""


class Deadlock(Exception):
    """Nothing is ready, nothing is scheduled, and the simulation has not ended."""


class _Waiting(selectors.SelectSelector):
    """Waits by letting virtual time pass; no real file is ever ready but the loop's own wake-up pipe."""

    def __init__(self, passed: Callable[[float], None]) -> None:
        super().__init__()
        self._passed = passed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock
        self._passed(timeout)
        return []


class _Numbered:
    """Sets of these are walked in the same order in every run: their hash is no address."""

    number: int

    def __hash__(self) -> int:
        return self.number


class _Future(_Numbered, asyncio.Future[Any]):
    pass


class _Task(_Numbered, asyncio.Task[Any]):
    pass


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seeded: the same program on it does the same things in the same order.

    Where hashes of strings matter, only with the same PYTHONHASHSEED.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._now = 0.0
        self._numbers = itertools.count()
        super().__init__(_Waiting(self._pass))
        self.set_task_factory(self._make_task)

    def create_future(self) -> asyncio.Future[Any]:
        future = _Future(loop=self)
        future.number = next(self._numbers)
        return future

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        _Task.number = number = next(self._numbers)  # the constructor hashes it already
        task = _Task(coro, loop=loop, **options)
        task.number = number
        return task

    def time(self) -> float:
        return self._now

    def _pass(self, seconds: float) -> None:
        self._now += max(0.0, seconds)

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """What a killed process left open nobody closes behind it, least of all whenever memory is tidied up."""
        self._asyncgens.discard(agen)  # type: ignore[attr-defined]

    def _run_once(self) -> None:
        """Asyncio promises an order among what is ready, but nobody may rely on the one between tasks."""
        ready = list(self._ready)  # type: ignore[has-type]
        self._chance.shuffle(ready)
        self._ready.clear()
        self._ready.extend(ready)
        super()._run_once()  # type: ignore[misc]

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """At once, or after the disk's time: what is killed meanwhile may have happened or not."""
        future: asyncio.Future[Any] = self.create_future()
        done: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                done.append((func(*args), None))
            except BaseException as error:
                done.append((None, error))

        def resolve() -> None:
            if not done and not future.cancelled():
                run()
            if future.done():
                return
            result, error = done[0]
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        if self._chance.random() < 0.5:
            run()
        self.call_later(self._chance.random() * DISK_SECONDS, resolve)
        return future


class LoopClock:
    """A wall clock that started somewhere, runs a little wrong, and is set now and then; and one that nobody sets."""

    def __init__(self, loop: asyncio.AbstractEventLoop, started_at: int, *, drift: float = 1.0) -> None:
        self._loop = loop
        self._wall = float(started_at)
        self._drift = drift

    def now_ms(self) -> int:
        return int(self._wall + self._loop.time() * 1000 * self._drift)

    def monotonic(self) -> float:
        return self._loop.time()

    def worked(self) -> float:
        return 0.0

    def set_by(self, seconds: float) -> None:
        self._wall += seconds * 1000
