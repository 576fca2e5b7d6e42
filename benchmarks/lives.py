"""How many jobs can be brought through their whole life per second?

Each is submitted, granted, accepted, reported and published, in calls of its own over HTTP, by agents that make no media: what
they would upload lies in staging already. 32 jobs are in flight at a time. The service and its callers are processes of their own
on the same machine; every answer is given after its commit is on disk.

    python -m benchmarks.lives [--rounds 3] [--seconds 5] [--store sqlite|postgres]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from benchmarks.service import machine
from benchmarks.submits import document
from controlplane.app import open_store
from controlplane.services.tenants import Tenants
from controlplane.settings import Settings
from shared.clock import SystemClock
from shared.protocol import EnrolRequest, HelloRequest, PollRequest
from tests.builders import a_capacity, finished, free_of, produced, some_facts
from tests.e2e.processes import Client, Server
from tests.postgres import running as running_postgres

IN_FLIGHT = 32
NODES = 8
CAPACITY = a_capacity(threads=64)
OUTPUT = {"container": "mp4", "video": {"codec": "h264", "bit_rate": 600_000}, "audio": {"codec": "aac"}}
MOST_PER_SECOND = 1000
"""Results are laid ready for so many lives: to make a folder takes the longer the more were removed before."""
OUTCOME = finished(produced("KEY", name="out")).model_dump_json().encode()
UNLIMITED = {"TRANSCODER_REQUESTS_PER_MINUTE": "10000000", "TRANSCODER_MAX_CONNECTIONS_PER_ADDRESS": "1000"}


@dataclass
class Fleet:
    """Agents that do as they are told, without doing anything."""

    url: str
    staging: Path
    credentials: list[str]
    session: aiohttp.ClientSession
    reported: dict[str, asyncio.Event]
    ready: Iterator[Path] = field(default_factory=lambda: iter(()))

    async def call(self, credential: str, name: str, body: bytes) -> Any:
        headers = {"Authorization": f"Bearer {credential}"}
        async with self.session.post(f"{self.url}/agent/v1/{name}", data=body, headers=headers) as response:
            answer = await response.read()
            assert response.status == 200, answer
            return orjson.loads(answer)

    async def work(self, credential: str) -> None:
        """Polls again at once, while what it was given goes on."""
        asked = PollRequest(boot_id="boot", free=free_of(CAPACITY), wait=20).model_dump_json().encode()
        async with asyncio.TaskGroup() as group:
            while True:
                for order in (await self.call(credential, "poll", asked))["orders"]:
                    group.create_task(self.live(credential, order))

    async def live(self, credential: str, order: dict[str, Any]) -> None:
        ref, key = order["ref"], order["payload"]["outputs"][0]["key"]
        await self.call(credential, "accept", orjson.dumps({"ref": ref}))
        next(self.ready).rename(self.staging / f"{ref['task_id']}.{ref['attempt']}")
        outcome = orjson.Fragment(OUTCOME.replace(b"KEY", key.encode()))
        await self.call(credential, "report", orjson.dumps({"ref": ref, "outcome": outcome}))
        self.reported[order["job_id"]].set()

    def lay_ready(self, count: int) -> None:
        """Results that no attempt has taken yet."""
        folders = [self.staging.parent / "ready" / str(number) for number in range(count)]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "out").write_bytes(b"x" * 10)
        self.ready = iter(folders)


async def prepared(settings: Settings) -> tuple[str, str]:
    """A tenant's key and an operator's, in a database that nobody has open."""
    store = await open_store(settings)
    try:
        tenants = Tenants(store, SystemClock())
        made = await tenants.create("acme", 1)
        _, key = await tenants.create_first_key(made.id, "bench", None)
        return key, await tenants.create_operator("bench")
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def fleet(server: Server, operator: Client, staging: Path) -> AsyncIterator[Fleet]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        made = Fleet(server.url, staging, [], session, {})
        await operator.call("POST", "/v1/clusters", {"id": "c"})
        for _ in range(NODES):
            token = (await operator.call("POST", "/v1/clusters/c/join-tokens", {"expires_in": 60}))["token"]
            asked = EnrolRequest(join_token=token, hostname="edge").model_dump_json().encode()
            made.credentials.append((await operator.call("POST", "/agent/v1/enrol", asked))["credential"])
            hello = HelloRequest(boot_id="boot", facts=some_facts(CAPACITY)).model_dump_json().encode()
            await made.call(made.credentials[-1], "hello", hello)
        working = [asyncio.create_task(made.work(credential)) for credential in made.credentials]
        try:
            yield made
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


async def lives(server: Server, key: str, made: Fleet, pipeline_id: str, seconds: float) -> tuple[float, float]:
    """Per second, from the first submission until the last result is published, and the service's CPU time of each in ms."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    made.lay_ready(int(seconds * MOST_PER_SECOND))
    numbers = iter(range(1 << 30))
    began, spent = time.monotonic(), server.cpu_seconds
    same = {
        "outputs": [{"key": "film.mp4", "settings": OUTPUT}],
        "playlists": [],
        "output_key_prefix": f"{began}/FILM-",
    }
    body = json.dumps(document(pipeline_id) | same).encode()

    async def caller() -> None:
        while time.monotonic() < began + seconds:
            film = body.replace(b"FILM", b"%d" % next(numbers))
            async with made.session.post(f"{server.url}/v1/jobs", data=film, headers=headers) as response:
                answer = orjson.loads(await response.read())
                assert response.status == 201, answer
            done = made.reported.setdefault(answer["id"], asyncio.Event())
            await done.wait()

    callers = [asyncio.create_task(caller()) for _ in range(IN_FLIGHT)]
    await asyncio.gather(*callers)
    url = f"{server.url}/v1/jobs?status=Progressing&page_size=1"
    while True:
        async with made.session.get(url, headers=headers) as response:
            if not orjson.loads(await response.read())["items"]:
                count = next(numbers)
                return count / (time.monotonic() - began), 1000 * (server.cpu_seconds - spent) / count


async def measured(environment: dict[str, str], rounds: int, seconds: float) -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        database = environment.get("TRANSCODER_DATABASE")
        key, operator_key = await prepared(Settings(state=state, database=database))
        server = Server(state, {**UNLIMITED, **environment})
        await server.start()
        tenant, operator = Client(server.url, key), Client(server.url, operator_key)
        try:
            await tenant.call("POST", "/v1/buckets", {"name": "b"})
            wanted = {"name": "p", "input_bucket": "b", "output_bucket": "b"}
            pipeline_id = (await tenant.call("POST", "/v1/pipelines", wanted))["id"]
            (bucket,) = state.glob("buckets/*/b")  # noqa: ASYNC240
            async with fleet(server, operator, bucket / ".transcoder" / "staging") as made:
                return [await lives(server, key, made, pipeline_id, seconds) for _ in range(rounds)]
        finally:
            await tenant.close()
            await operator.close()
            await server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--store", choices=["sqlite", "postgres"], action="append")
    chosen = parser.parse_args()
    print(machine())
    for store in chosen.store or ["sqlite", "postgres"]:
        with contextlib.ExitStack() as stack:
            environment = {}
            if store == "postgres":
                cluster = stack.enter_context(running_postgres())
                environment["TRANSCODER_DATABASE"] = asyncio.run(cluster.fresh_dsn())
            found = uvloop.run(measured(environment, chosen.rounds, chosen.seconds))
        rates, costs = zip(*found, strict=True)
        print(f"lives per second, {store:<9} {statistics.median(rates):8.0f}   ({min(rates):.0f} to {max(rates):.0f})")
        print(f"CPU of the service, each     {statistics.median(costs):8.2f} ms")


if __name__ == "__main__":
    main()
