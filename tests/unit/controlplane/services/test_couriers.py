"""Who is told of what comes just when nobody looks."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from controlplane.services import couriers
from controlplane.services.couriers import AT_ONCE, Courier
from controlplane.services.signals import Signals
from shared.ids import EndpointId, JobId
from tests.builders import eventually
from tests.clock import FakeClock

ENDPOINT = EndpointId("wh_1")
AN_HOUR = 3600.0


class Outbox:
    """In which something is due all the time, which those never see who look for it."""

    def __init__(self) -> None:
        self.looks = 0
        self.lines = 0
        self.may_end = asyncio.Event()

    async def read(self, _: object) -> dict[EndpointId, int]:
        self.looks += 1
        return {ENDPOINT: 0}

    async def write(self, _: object) -> None:
        self.lines += 1
        await self.may_end.wait()


class Post:
    async def close(self) -> None:
        pass


async def test_what_comes_as_the_last_line_ends_waits_for_no_later_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "LOOK_SECONDS", AN_HOUR)
    monkeypatch.setattr(couriers, "GATHERED", 0)
    outbox, signals = Outbox(), Signals()
    courier = Courier(cast("Any", outbox), FakeClock(), signals, cast("Any", Post()), {}, claim=60)
    running = asyncio.create_task(courier.run())
    await eventually(lambda: outbox.lines == AT_ONCE)
    signals.changed(JobId("1"))
    await eventually(lambda: outbox.looks == 2)
    assert outbox.lines == AT_ONCE
    outbox.may_end.set()
    await eventually(lambda: outbox.lines > AT_ONCE)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
