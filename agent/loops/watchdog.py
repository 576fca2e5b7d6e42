"""Tells systemd how the agent is (sd_notify), and feeds its watchdog only while every loop keeps its word."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

import structlog

from agent.loops.timing import Timing

_FEEDINGS: Final = 3
"""How often within the watchdog's time it is fed."""

log = structlog.get_logger()


class Notifier:
    """The socket that systemd gave the service; without one it says nothing."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def tell(self, *lines: str) -> None:
        if self._address is None:
            return
        name = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.sendto("\n".join(lines).encode(), name)


class Watchdog:
    def __init__(self, notifier: Notifier, every: float | None, *, timing: Timing) -> None:
        self._notifier = notifier
        self._timing = timing
        self._every = every

    async def run(self) -> None:
        """Returns at once when nobody wants to be fed."""
        while self._every is not None:
            if stuck := self._timing.pulse.stuck():
                log.error("loops.stuck", loops=stuck)
            else:
                self._notifier.tell("WATCHDOG=1")
            await self._timing.sleep(self._every / _FEEDINGS)
