"""What waits for the next commit: operations of one caller each, and those that are one for all who ask the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controlplane.store.port import Item, Op, T, Together
from shared.errors import Unavailable

LET_IN: Final = 2
"""Turns of the event loop that a batch waits for more."""


@dataclass(frozen=True, eq=False, slots=True)
class Waiting:
    """A caller: with an operation of its own, or with its item of one that is carried out together."""

    future: asyncio.Future[Any]
    then: Callable[[Any], None] | None
    foretell: Callable[[Any], None] | None = None
    operation: Op[Any] | None = None
    together: Together[Any, Any] | None = None
    item: Any = None


class Batching:
    """The half of a store that callers wait in: whoever carries out what they ask for takes them in batches."""

    _writing: asyncio.Task[None]
    """Takes batches until it is canceled."""

    def __init__(self) -> None:
        self._pending: asyncio.Queue[Waiting] = asyncio.Queue()

    async def write(self, operation: Op[T], then: Callable[[T], None] | None = None) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(Waiting(future, then, operation=operation))
        return await future

    async def write_together(
        self,
        together: Together[Item, T],
        item: Item,
        then: Callable[[T], None] | None = None,
        foretell: Callable[[T], None] | None = None,
    ) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(Waiting(future, then, foretell, together=together, item=item))
        return await future

    def _put(self, waiting: Waiting) -> None:
        if self._writing.done():
            raise Unavailable("The database is closed.")
        self._pending.put_nowait(waiting)

    def _done(self, batch: Sequence[Waiting], results: Sequence[Any] | Exception) -> None:
        """Each with its own result, or all with the same exception."""
        resolve(batch, [results] * len(batch) if isinstance(results, Exception) else results)
        for _ in batch:
            self._pending.task_done()

    async def _finish_writing(self) -> None:
        """After what was asked for before has been committed."""
        await self._pending.join()
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)


async def gathered(pending: asyncio.Queue[Waiting], most: int) -> list[list[Waiting]]:
    """The next batch."""
    return parcelled([await pending.get(), *await let_in(pending, most - 1)])


async def let_in(pending: asyncio.Queue[Waiting], most: int) -> list[Waiting]:
    """Whatever waits, and what the event loop brings in meanwhile.

    A commit costs as much for one operation as for many, so callers that are about to ask are let in, but not for
    long: a busy loop always brings more.
    """
    batch: list[Waiting] = []
    for _ in range(LET_IN):
        await asyncio.sleep(0)
        came = taken(pending, most - len(batch))
        batch += came
        if not came:
            break
    return batch


def taken(pending: asyncio.Queue[Waiting], most: int) -> list[Waiting]:
    """Whatever waits now."""
    return [pending.get_nowait() for _ in range(min(pending.qsize(), most))]


def parcelled(batch: Sequence[Waiting]) -> list[list[Waiting]]:
    """Callers whose operation is the same one, where the first of them stood; each of the others by itself."""
    parcels: dict[Hashable, list[Waiting]] = {}
    for waiting in batch:
        parcels.setdefault(waiting.together or waiting, []).append(waiting)
    return list(parcels.values())


def operation_of(parcel: Sequence[Waiting]) -> Op[Sequence[Any]]:
    """A result for each of them: a value or an exception."""
    together = parcel[0].together
    if together is not None:
        return together([waiting.item for waiting in parcel])
    assert parcel[0].operation is not None
    return _alone(parcel[0].operation)


def foretell(batch: Sequence[Waiting], results: Sequence[Any]) -> None:
    """All of them are carried out, and none is sure yet."""
    for waiting, result in zip(batch, results, strict=True):
        if waiting.foretell is not None and not isinstance(result, BaseException):
            waiting.foretell(result)


def resolve(batch: Sequence[Waiting], results: Sequence[Any]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        refused = isinstance(result, BaseException)
        if waiting.then is not None and not refused:
            waiting.then(result)
        if waiting.future.done():
            continue  # its caller went away; what was committed stays
        if refused:
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)


def _alone(operation: Op[Any]) -> Op[Sequence[Any]]:
    return [(yield from operation)]
