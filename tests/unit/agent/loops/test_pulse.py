"""Who keeps its word, as the watchdog sees it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

from agent.loops.pulse import LENIENCE, Pulse
from agent.loops.timing import Timing
from agent.loops.watchdog import Notifier, Watchdog
from tests.unit.agent.builders import Sleeps, StillClock


def test_a_loop_that_comes_back_in_time_is_not_stuck() -> None:
    clock = StillClock()
    pulse = Pulse(clock)
    pulse.promise("orders", 20)
    clock.seconds += 20 + LENIENCE
    assert pulse.stuck() == ()
    clock.seconds += 1
    assert pulse.stuck() == ("orders",)
    pulse.promise("orders", 20)
    assert pulse.stuck() == ()


def test_a_loop_with_nothing_to_do_promises_nothing() -> None:
    clock = StillClock()
    pulse = Pulse(clock)
    pulse.promise("reports", 1)
    pulse.rest("reports")
    clock.seconds += 3600
    assert pulse.stuck() == ()


class Manager:
    """A stand-in for systemd's end of the notification socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(self._socket.recv(4096).decode())
        return heard

    def close(self) -> None:
        self._socket.close()


async def test_the_watchdog_is_fed_while_all_is_well_and_no_longer(tmp_path: Path) -> None:
    sleep = Sleeps()
    timing = Timing(sleep.clock, sleep, lambda: 0.5)
    timing.pulse.promise("orders", 0)
    with contextlib.closing(Manager(str(tmp_path / "notify"))) as manager:
        feeding = asyncio.create_task(Watchdog(Notifier(str(tmp_path / "notify")), 30, timing=timing).run())
        for _ in range(20):
            await asyncio.sleep(0)
        feeding.cancel()
        await asyncio.wait({feeding})
        fed = len(manager.heard())
    assert set(sleep.asked) == {10.0}
    assert fed == 1 + LENIENCE // 10


async def test_where_nobody_wants_to_be_fed_the_watchdog_has_nothing_to_do() -> None:
    sleep = Sleeps()
    await Watchdog(Notifier(None), None, timing=Timing(sleep.clock, sleep, lambda: 0.5)).run()
    assert sleep.asked == []


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "nobody")).tell("READY=1")
    Notifier("@transcoder-test-nobody").tell("READY=1")
