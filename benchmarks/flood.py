"""What do slow callers cost everybody else?

The 99th percentile of an ordinary call to an idle service, and to the same service while 1,000 slow connections of every kind come
and are closed; side by side, in turns.

    python -m benchmarks.flood [--rounds 5] [--crowd 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.service import machine
from tests.e2e.processes import Client, Server, running
from tests.e2e.test_hostile_connections import MIB, SLOW, Place

CALLS = 400


async def percentile(tenant: Client) -> float:
    """Milliseconds, of calls at an even pace."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        status, _ = await tenant.once("GET", "/v1/jobs")
        assert status == 200
        times.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.01)
    return statistics.quantiles(times, n=100)[98]


def crowd(url: str, key: str, big: str, count: int, lived: Any) -> None:
    """In a process of its own: how long the last of the slow ones lived."""
    _raise_limit()

    async def attack() -> float:
        tenant = Client(url, key)
        server = Server(Path())  # it runs already
        server.url = url
        place = Place(server, tenant, tenant, big, drip_every=0.5)
        kinds = itertools.islice(itertools.cycle(SLOW), count)
        try:
            return max(await asyncio.gather(*(slow(place) for slow in kinds)))
        finally:
            await tenant.close()

    lived.value = uvloop.run(attack())


async def crowded(url: str, tenant: Client, big: str, count: int) -> tuple[float, float]:
    """The percentile in the crowd, and how long the last of it lived."""
    spawning = multiprocessing.get_context("spawn")
    lived = spawning.Value("d", 0.0)
    attackers = spawning.Process(target=crowd, args=(url, tenant.key, big, count, lived))
    attackers.start()
    await asyncio.sleep(4)  # they have all come
    found = await percentile(tenant)
    await asyncio.to_thread(attackers.join)
    return found, lived.value


async def measured(rounds: int, count: int) -> None:
    idle, flooded, lived = [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with running(Path(folder) / "state", {"TRANSCODER_REQUESTS_PER_MINUTE": "1000000"}) as (
            server,
            tenant,
            _,
        ):
            await tenant.call("POST", "/v1/buckets", {"name": "films"})
            (films,) = server.state.glob("buckets/*/films")
            (films / "big").write_bytes(bytes(16 * MIB))
            link = await tenant.call("POST", "/v1/buckets/films/links", {"key": "big"})
            big = urlsplit(link["url"]).path
            before = server.resident
            for _ in range(rounds):
                idle.append(await percentile(tenant))
                found, longest = await crowded(server.url, tenant, big, count)
                flooded.append(found)
                lived.append(longest)
            grown = server.resident - before
    ratios = [crowd / alone for crowd, alone in zip(flooded, idle, strict=True)]
    print(machine())
    print(f"p99 idle             {statistics.median(idle):8.2f} ms  ({min(idle):.2f} to {max(idle):.2f})")
    print(f"p99 in the crowd     {statistics.median(flooded):8.2f} ms  ({min(flooded):.2f} to {max(flooded):.2f})")
    print(f"ratio                {statistics.median(ratios):8.2f}     ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"the last one closed  {max(lived):8.1f} s")
    print(f"memory grew by       {grown / MIB:8.0f} MiB")


def _raise_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(8192, hard)), hard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crowd", type=int, default=1000)
    chosen = parser.parse_args()
    uvloop.run(measured(chosen.rounds, chosen.crowd))


if __name__ == "__main__":
    main()
