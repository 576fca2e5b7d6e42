"""Blocking calls to a service under measurement, and a look at the processes of this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

_TICK = os.sysconf("SC_CLK_TCK")


def call(service: dict[str, Any], method: str, path: str, document: Any = None) -> Any:
    async def once() -> Any:
        headers = {"Authorization": f"Bearer {service['tenant_key']}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, service["url"] + path, json=document) as response,
        ):
            assert response.status < 300, await response.text()
            return await response.json()

    return uvloop.run(once())


def ended(service: dict[str, Any], job_id: str) -> Any:
    """The job, once it has ended."""
    while True:
        job = call(service, "GET", f"/v1/jobs/{job_id}")
        if job["status"] not in ("Submitted", "Progressing"):
            return job
        time.sleep(0.05)


def encoders(service: dict[str, Any]) -> list[int]:
    """The service's processes that encode: ffmpeg with a progress pipe, in a workspace of its agent."""
    found = []
    ours = "/".join(
        service["state"].parts[-2:]
    )  # mounts are told from the root of their file system, which may be /tmp
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                if not (words[0].endswith(b"ffmpeg") and b"-progress" in words):
                    continue
                mounts = Path(f"/proc/{entry}/mountinfo").read_text()
            except OSError:
                continue
            if ours in mounts:
                found.append(int(entry))
    return found


def argv(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]


def started(pid: int) -> float:
    """When a process was made, as Unix time; exact to a clock tick (10 ms)."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / _TICK
