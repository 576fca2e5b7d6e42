"""Tells systemd how the service is (sd_notify(3)); outside systemd it tells nobody."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """`READY=1`, `STOPPING=1`, `WATCHDOG=1` and the like. A supervisor that cannot be reached is no reason to end."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
        connection.send(state.encode())


async def feed_watchdog() -> None:
    """From the event loop, so that a loop that hangs is noticed: twice per deadline, as sd_watchdog_enabled(3) advises."""
    microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
    while microseconds:
        notify("WATCHDOG=1")
        await asyncio.sleep(microseconds / 2_000_000)
