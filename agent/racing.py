"""Waiting for one thing unless another happens first, and for several that stand or fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class Interrupted(Exception):
    """The other thing happened first; the work was cancelled and has ended."""


async def unless(event: Coroutine[Any, Any, object], work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """The result of `work`, or Interrupted as soon as `event` comes; neither is left running. Finished work wins a tie."""
    working = asyncio.create_task(work)
    waiting = asyncio.create_task(event)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Interrupted
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.wait({working, waiting})
        for task in (working, waiting):
            if not task.cancelled():
                task.exception()


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Until all are done. The first that fails ends the others and is raised as itself; none is left running."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
