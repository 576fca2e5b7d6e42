"""What does an agent that waits for work cost the control plane?

The real server, and as many held polls as asked for, each by a node of its own on a connection of its own, from a process of
its own. The growth of the server's resident memory, since all nodes are known and since its start, divided by their number.

    python -m benchmarks.agents [--agents 5000]
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop

from benchmarks.service import machine
from shared.protocol import EnrolRequest, HelloRequest, PollRequest
from tests.builders import a_capacity, free_of, some_facts
from tests.e2e.processes import Client, Server, make_operator

TOGETHER = 50
"""Requests at once while they enrol: no more than one address may have."""


async def enrolled(url: str, operator: Client, session: aiohttp.ClientSession) -> str:
    """Another node's credential."""
    token = (await operator.call("POST", "/v1/clusters/c/join-tokens", {}))["token"]
    asked = EnrolRequest(join_token=token, hostname="edge").model_dump_json()
    async with session.post(f"{url}/agent/v1/enrol", data=asked) as response:
        credential: str = (await response.json())["credential"]
    hello = HelloRequest(boot_id="boot", facts=some_facts()).model_dump_json()
    headers = {"Authorization": f"Bearer {credential}"}
    async with session.post(f"{url}/agent/v1/hello", data=hello, headers=headers) as response:
        assert response.status == 200, await response.text()
    return credential


async def poll(url: str, credential: str, session: aiohttp.ClientSession) -> None:
    asked = PollRequest(boot_id="boot", free=free_of(a_capacity()), wait=3600).model_dump_json()
    headers = {"Authorization": f"Bearer {credential}"}
    async with session.post(f"{url}/agent/v1/poll", data=asked, headers=headers) as response:
        await response.read()


async def measured(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        operator_key = await make_operator(state)
        server = Server(state, {"TRANSCODER_POLL_WAIT": "3600", "TRANSCODER_REQUESTS_PER_MINUTE": "1000000"})
        await server.start()
        empty = server.resident
        operator = Client(server.url, operator_key)
        timeout = aiohttp.ClientTimeout(total=None)
        try:
            await operator.call("POST", "/v1/clusters", {"id": "c"})
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=TOGETHER)) as session:
                credentials: list[str] = []
                while len(credentials) < count:
                    credentials += await asyncio.gather(
                        *(enrolled(server.url, operator, session) for _ in range(TOGETHER))
                    )
            before = server.resident
            began = time.monotonic()
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=timeout
            ) as session:
                polls = []
                for start in range(0, count, TOGETHER):
                    polls += [
                        asyncio.create_task(poll(server.url, credential, session))
                        for credential in credentials[start : start + TOGETHER]
                    ]
                    await operator.call("GET", "/v1/clusters")
                    await asyncio.sleep(0.02)
                await asyncio.sleep(2)
                assert not any(task.done() for task in polls), "every poll is held"
                after = server.resident
                calls = []
                for _ in range(200):
                    start_at = time.perf_counter()
                    await operator.call("GET", "/v1/clusters")
                    calls.append((time.perf_counter() - start_at) * 1000)
                for task in polls:
                    task.cancel()
                await asyncio.gather(*polls, return_exceptions=True)
        finally:
            await operator.close()
            await server.kill()
    print(machine())
    print(f"agents held          {count:8d}   (within {time.monotonic() - began:.0f} s)")
    print(
        f"resident, MiB        {empty / 2**20:8.1f} empty, {before / 2**20:.1f} nodes known, {after / 2**20:.1f} held"
    )
    print(f"each held poll       {(after - before) / count / 1024:8.1f} KiB")
    print(f"each, all told       {(after - empty) / count / 1024:8.1f} KiB")
    print(f"a call meanwhile p50 {sorted(calls)[100]:8.2f} ms, p99 {sorted(calls)[197]:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=5000)
    chosen = parser.parse_args()
    wanted = 3 * chosen.agents
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))
    uvloop.run(measured(chosen.agents))


if __name__ == "__main__":
    main()
