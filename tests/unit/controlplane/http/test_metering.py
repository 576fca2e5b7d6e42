"""What a call is charged for: its own work, not what others do while it waits."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.http.metering import Metered
from controlplane.http.shares import Share


@pytest.fixture
async def share() -> Share:
    return Share(asyncio.get_running_loop().call_later)


class Work:
    def __init__(self) -> None:
        self.done = 0.0

    def worked(self) -> float:
        return self.done


async def test_what_others_do_while_a_call_waits_is_not_counted(share: Share) -> None:
    work, waits, goes_on = Work(), asyncio.Event(), asyncio.Event()

    async def serve() -> str:
        work.done += 1
        waits.set()
        await goes_on.wait()
        work.done += 2
        return "answer"

    async def other() -> None:
        await waits.wait()
        work.done += 100
        goes_on.set()

    metered = Metered(serve(), work.worked, share)

    async def call() -> str:
        return await metered

    answer, _ = await asyncio.gather(call(), other())
    assert (answer, metered.seconds) == ("answer", 3)


async def test_a_refusal_is_counted_and_passed_on(share: Share) -> None:
    work = Work()

    async def serve() -> None:
        await asyncio.sleep(0)
        work.done += 1
        raise LookupError

    metered = Metered(serve(), work.worked, share)
    with pytest.raises(LookupError):
        await metered
    assert metered.seconds == 1


async def test_a_caller_that_goes_away_cancels_what_it_waits_for(share: Share) -> None:
    waits, saw_it = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            saw_it.set()
            raise

    async def call() -> None:
        await Metered(serve(), Work().worked, share)

    calling = asyncio.create_task(call())
    await waits.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert saw_it.is_set()
