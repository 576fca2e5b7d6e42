"""What machine this is."""

from __future__ import annotations

import importlib.metadata
import platform
import socket

from agent.capacity.found import Found, Surroundings


async def probe(_around: Surroundings) -> Found:
    return Found(hostname=socket.gethostname(), agent_version=agent_version(), os=f"{_system()}, {platform.release()}")


def agent_version() -> str:
    try:
        return importlib.metadata.version("edge-transcoder")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
