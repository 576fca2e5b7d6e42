"""Threads for what may take long on a bucket's disk: a root that hangs keeps its own few and nobody else's."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from shared.errors import Unavailable

PER_ROOT: Final = 16
ALL: Final = 256
"""So many threads, at most, that sixteen roots may hang at once before others have to wait."""

T = TypeVar("T")


class Hands:
    def __init__(self, *, per_root: int = PER_ROOT, threads: int = ALL) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="bucket")
        self._free: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(per_root))
        self._asked: dict[str, list[tuple[Callable[[], Any], asyncio.Future[Any]]]] = defaultdict(list)
        self._busy: set[asyncio.Task[None]] = set()

    async def do(self, root: str, work: Callable[[], T], *, within: float) -> T:
        """What `work` returns. Raises Unavailable when the root has not answered after so many seconds.

        What hangs keeps its thread, and its place among the few of its root, until it comes back.
        """
        free = self._free[root]
        try:
            async with asyncio.timeout(within):  # not `wait_for`, which may swallow a cancellation
                await free.acquire()
        except TimeoutError:
            raise Unavailable("The storage is busy with what it does not finish.", retry_after=10) from None
        doing = asyncio.get_running_loop().run_in_executor(self._pool, work)

        def leave(done: asyncio.Future[T]) -> None:
            free.release()
            if not done.cancelled():
                done.exception()  # of what nobody waits for any more

        doing.add_done_callback(leave)
        await asyncio.wait([doing], timeout=within)
        if not doing.done():
            raise Unavailable("The storage does not answer.", retry_after=10)
        return doing.result()

    async def do_together(self, root: str, work: Callable[[], T], *, within: float) -> T:
        """As `do`, but with one hand for all that is asked of a root at the same time: each of it is quick."""
        asked = self._asked[root]
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        asked.append((work, answer))
        if len(asked) == 1:
            doing = asyncio.create_task(self._do_all(root, within), name=f"hand for {root}")
            self._busy.add(doing)
            doing.add_done_callback(self._busy.discard)
        return await answer

    async def _do_all(self, root: str, within: float) -> None:
        await asyncio.sleep(0)  # who asks in this turn of the loop is let in
        asked = self._asked.pop(root)
        try:
            done = await self.do(root, partial(_each, [work for work, _ in asked]), within=within)
        except Unavailable as error:
            done = [error] * len(asked)
        for (_, answer), result in zip(asked, done, strict=True):
            if answer.done():
                continue  # nobody waits for it any more
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

    def close(self) -> None:
        """Waits for nothing: what hangs ends with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _each(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each returns or raises."""
    done: list[Any] = []
    for work in works:
        try:
            done.append(work())
        except Exception as error:  # it is the asker's, like any result
            done.append(error)
    return done
