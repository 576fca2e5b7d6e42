"""What does one tenant that calls as often as it may cost another?

A small job of one tenant is created twenty times a second, of an idle service and while 32 callers of another tenant send what
takes long to read, or ask for what takes long to find, at the rates that every tenant has; side by side, in turns. Then, while
nodes wait that have no room and the other tenant submits as fast as it may, before and after 6,500 jobs of its own that each ask
for another label.

    python -m benchmarks.neighbours [--rounds 3] [--seconds 5] [--part calls|needs]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import uvloop

from benchmarks.agents import enrolled
from benchmarks.service import machine
from shared.capacity import Free
from shared.protocol import PollRequest
from tests.builders import a_document, mp4_settings
from tests.e2e.callers import a_pipeline
from tests.e2e.processes import Client, running

PARTS = ("calls", "needs")
CALLERS = 32
DEFAULT_RATES = {"TRANSCODER_REQUESTS_PER_MINUTE": "6000"}
UNTHROTTLED = 6_000_000
"""Calls per minute, while it is prepared."""
ANSWERED_ALREADY = 1.0
"""Seconds after which what comes is the rate, and no longer the first burst."""
JOBS = 2_500
"""To search, of 2.7 KB each in a list."""
NEEDS = 6_500
NODES = 20


class Request(NamedTuple):
    method: str
    path: str
    body: bytes | None = None


LOOKS: Final = {
    "searches for nothing": Request("GET", "/v1/jobs?metadata.nobody=ever"),
    "pages of 200 jobs": Request("GET", "/v1/jobs?page_size=200"),
}


def submissions(pipeline_id: str) -> Mapping[str, Request]:
    """The largest documents, which say nothing, and one that asks for as much as a job may have."""
    most = a_document(
        pipeline_id,
        inputs=[{"key": f"in/{number}.mp4"} for number in range(200)],
        outputs=[{"key": f"{number}.mp4", "settings": mp4_settings()} for number in range(30)],
    )
    bodies = {
        "largest, of empty inputs": b'{"inputs":[' + b",".join([b"{}"] * 87_000) + b"]}",
        "largest, of unknown fields": json.dumps({f"field{number}": 1 for number in range(14_000)}).encode(),
        "200 inputs, 30 outputs": json.dumps(most).encode(),
    }
    return {name: Request("POST", "/v1/jobs", body) for name, body in bodies.items()}


async def fill(
    neighbour: Client, operator: Client, tenant_id: str, pipeline_id: str, jobs: int, **changes: Callable[[int], Any]
) -> None:
    """With jobs that wait, faster than anybody may; `changes` by the number of each."""
    path, at_once = f"/v1/tenants/{tenant_id}", asyncio.Semaphore(CALLERS)

    async def submit(number: int) -> None:
        outputs = [{"key": f"{number}.mp4", "settings": mp4_settings()}]
        differing = {name: change(number) for name, change in changes.items()}
        async with at_once:
            await neighbour.call("POST", "/v1/jobs", a_document(pipeline_id, outputs=outputs, **differing))

    await operator.call("PATCH", path, {"rates": {"create": UNTHROTTLED}})
    await asyncio.gather(*(submit(number) for number in range(jobs)))
    await operator.call("PATCH", path, {"rates": {"create": None}})


def one_more(pipeline_id: str) -> Request:
    return Request("POST", "/v1/jobs", json.dumps(a_document(pipeline_id, placement=a_label(0))).encode())


def notes(_: int) -> dict[str, str]:
    return {f"note{note}": "v" * 50 for note in range(10)}


def a_label(number: int) -> dict[str, Any]:
    return {"labels": {"disk": str(number)}}


@asynccontextmanager
async def nodes_without_room(url: str, operator: Client) -> AsyncIterator[None]:
    """Whose polls are held: there is nothing that they could take, and whenever there is another job it is looked for."""
    asked = PollRequest(boot_id="boot", free=Free(cpu_threads=1, memory=0, scratch=0), wait=20).model_dump_json()

    async def polls(session: aiohttp.ClientSession, credential: str) -> None:
        headers = {"Authorization": f"Bearer {credential}"}
        while True:
            async with session.post(f"{url}/agent/v1/poll", data=asked, headers=headers) as answer:
                await answer.read()

    await operator.call("POST", "/v1/clusters", {"id": "c"})
    async with aiohttp.ClientSession() as session:
        credentials = [await enrolled(url, operator, session) for _ in range(NODES)]
        polling = [asyncio.create_task(polls(session, credential)) for credential in credentials]
        yield
        for task in polling:
            task.cancel()
        await asyncio.gather(*polling, return_exceptions=True)


def send(url: str, key: str, request: Request, seconds: float) -> None:
    """In a process of its own, and at once again when refused."""

    async def attack() -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=CALLERS)) as session:
            answers: Counter[int] = Counter()
            await asyncio.gather(*(_calls(session, url, request, seconds, answers) for _ in range(CALLERS)))
        print(f"    {', '.join(f'{count} x {status}' for status, count in sorted(answers.items()))}", flush=True)

    uvloop.run(attack())


async def _calls(
    session: aiohttp.ClientSession, url: str, request: Request, seconds: float, answers: Counter[int]
) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        async with session.request(request.method, url + request.path, data=request.body) as answer:
            await answer.read()
        answers[answer.status] += 1
        await asyncio.sleep(0.02 if answer.status == 429 else 0)


async def creating(tenant: Client, pipeline_id: str, seconds: float, numbers: count[int]) -> list[float]:
    """Milliseconds that each took."""
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        document = a_document(pipeline_id, outputs=[{"key": f"{next(numbers)}.mp4", "settings": mp4_settings()}])
        began = time.perf_counter()
        await tenant.call("POST", "/v1/jobs", document)
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.05)
    return took


async def beside(tenant: Client, pipeline_id: str, seconds: float, numbers: count[int], *attack: Any) -> list[float]:
    attacker = multiprocessing.get_context("spawn").Process(target=send, args=(*attack, seconds + 2))
    attacker.start()
    await asyncio.sleep(ANSWERED_ALREADY)
    took = await creating(tenant, pipeline_id, seconds, numbers)
    await asyncio.to_thread(attacker.join)
    return took


async def _neighbour(url: str, operator: Client) -> tuple[Client, str]:
    """And its number."""
    made = await operator.call("POST", "/v1/tenants", {"name": "neighbour"})
    key = await operator.call("POST", f"/v1/tenants/{made['id']}/keys", {})
    return Client(url, key["key"]), made["id"]


async def measured(rounds: int, seconds: float, parts: Sequence[str]) -> None:
    numbers = count()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with running(Path(folder) / "state", DEFAULT_RATES) as (server, tenant, operator):
            neighbour, tenant_id = await _neighbour(server.url, operator)
            pipeline_id, theirs = await a_pipeline(tenant), await a_pipeline(neighbour)
            if "calls" in parts:
                await fill(neighbour, operator, tenant_id, theirs, JOBS, metadata=notes)
                for _ in range(rounds):
                    _tell("idle", await creating(tenant, pipeline_id, seconds, numbers))
                    for name, request in {**submissions(theirs), **LOOKS}.items():
                        attack = (server.url, neighbour.key, request)
                        _tell(name, await beside(tenant, pipeline_id, seconds, numbers, *attack))
            if "needs" in parts:
                async with nodes_without_room(server.url, operator):
                    attack = (server.url, neighbour.key, one_more(theirs))
                    for needs in (0, NEEDS):
                        await fill(neighbour, operator, tenant_id, theirs, needs, placement=a_label)
                        for _ in range(rounds):
                            took = await beside(tenant, pipeline_id, seconds, numbers, *attack)
                            _tell(f"beside {needs} needs", took)
            await neighbour.close()


def _tell(name: str, took: list[float]) -> None:
    print(f"{name:28} p50 {statistics.median(took):7.1f} ms   p99 {statistics.quantiles(took, n=100)[98]:7.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--part", choices=PARTS, action="append")
    chosen = parser.parse_args()
    uvloop.run(measured(chosen.rounds, chosen.seconds, chosen.part or PARTS))


if __name__ == "__main__":
    main()
