"""Waiting for one thing unless another happens first."""

import asyncio

import pytest

from agent.racing import Interrupted, unless


async def test_the_result_of_the_work_is_given_when_nothing_happens() -> None:
    async def work() -> str:
        return "done"

    assert await unless(asyncio.Event().wait(), work()) == "done"


async def test_the_work_is_ended_before_the_interruption_is_told() -> None:
    event, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            event.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(Interrupted):
        await unless(event.wait(), work())
    assert ended.is_set()


async def test_the_error_of_the_work_is_its_own() -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await unless(asyncio.Event().wait(), work())


async def test_work_that_is_done_wins_a_tie() -> None:
    event = asyncio.Event()
    event.set()

    async def work() -> str:
        return "done"

    assert await unless(event.wait(), work()) == "done"
