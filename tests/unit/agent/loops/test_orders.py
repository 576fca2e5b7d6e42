"""When the agent asks, and how often."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from aiohttp import web

from agent.capacity import Space
from agent.client import ControlPlane
from agent.jobs.outbox import Outbox
from agent.jobs.runner import Runner
from agent.jobs.slots import Slots
from agent.jobs.workload import Workload
from agent.loops.orders import Orders
from agent.loops.reprobing import Reprobing
from agent.loops.timing import Timing
from agent.refusals import Revoked
from shared.ids import BootId
from tests.unit.agent.builders import GIB, Sleeps, a_capacity
from tests.unit.agent.serving import Handler, client_of, problem


def idle(client: ControlPlane, sleep: Sleeps, outbox: Path) -> tuple[Orders, Workload]:
    """A node that is given nothing to do."""
    slots = Slots(a_capacity(), disk=lambda: Space(free=100 * GIB, reserve=0))
    workload = Workload(asyncio.TaskGroup(), Runner.__new__(Runner), slots, Outbox(outbox, sleep.clock))
    timing = Timing(sleep.clock, sleep, lambda: 1.0)
    reprobing = Reprobing(workload, never, timing=timing)
    return Orders(client, workload, BootId("bt_1"), reprobing=reprobing, timing=timing), workload


async def never() -> None:
    raise AssertionError("nothing runs the probes here")


async def revoked_after(count: int, handler: Handler, outbox: Path) -> Sleeps:
    """How long the agent rested between so many polls; the next one ends it."""
    sleep, polls = Sleeps(), itertools.count()

    async def counting(request: web.Request) -> web.StreamResponse:
        return await handler(request) if next(polls) < count else problem("unauthenticated", 401)

    async with client_of(counting) as client:
        with pytest.raises(Revoked):
            await idle(client, sleep, outbox)[0].run()
    return sleep


async def test_a_control_plane_that_does_not_hold_polls_is_not_stormed(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response({"timings": {}})

    sleep = await revoked_after(4, handler, tmp_path)
    assert sleep.asked == [0.2, 0.4, 0.8, 1.6]


async def test_a_control_plane_that_asks_for_time_gets_it(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return problem("unavailable", 503, retry_after="5")

    assert (await revoked_after(1, handler, tmp_path)).asked == [5.2]


async def test_an_answer_with_orders_is_followed_by_the_next_poll_at_once(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response({"orders": [{"type": "resume"}], "timings": {}})

    assert (await revoked_after(5, handler, tmp_path)).asked == []


async def test_a_held_poll_is_broken_off_when_what_it_said_is_no_longer_true(tmp_path: Path) -> None:
    held, free = asyncio.Event(), []
    sleep = Sleeps()

    async def handler(request: web.Request) -> web.Response:
        free.append((await request.json())["free"]["cpu_threads"])
        held.set()
        if len(free) > 1:
            return problem("unauthenticated", 401)
        await asyncio.Event().wait()
        raise AssertionError

    async with client_of(handler) as client:
        orders, workload = idle(client, sleep, tmp_path)
        polling = asyncio.create_task(orders.run())
        await held.wait()
        workload.close()
        with pytest.raises(Revoked):
            await polling
    assert free == [4, 0]
    assert sleep.asked == []


async def test_polls_say_what_the_node_was_told_so_that_a_lost_order_is_told_again(tmp_path: Path) -> None:
    said: list[tuple[bool, bool]] = []
    orders = iter([[{"type": "drain"}], [{"type": "reprobe"}], [{"type": "resume"}]])

    async def handler(request: web.Request) -> web.Response:
        asked = await request.json()
        said.append((asked["draining"], asked["reprobing"]))
        return web.json_response({"orders": next(orders, []), "timings": {}})

    await revoked_after(4, handler, tmp_path)
    assert said == [(False, False), (True, False), (True, True), (False, True)]
