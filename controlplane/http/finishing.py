"""Requests that change something are carried out to their end, whether or not their callers wait for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_begun: Final[set[asyncio.Task[Any]]] = set()


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """A commit is followed by what it entails: whoever waits for the work is woken, results are published.

    A caller that goes away cancels the waiting, not the work.
    """
    task = asyncio.create_task(work)
    _begun.add(task)
    task.add_done_callback(_ended)
    return await asyncio.shield(task)


def _ended(task: asyncio.Task[Any]) -> None:
    _begun.discard(task)
    if not task.cancelled():
        task.exception()  # a refusal that nobody waits for is nobody's concern
