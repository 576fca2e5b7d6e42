"""What does a signature cost? CPU of one request, to check who sent it: signed, and with a bearer key.

All that is done from the raw head and body to the caller is counted; what reads them off the socket is not.

    python -m benchmarks.signatures [--requests 20000]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from benchmarks.dialects import PATH, job
from benchmarks.service import machine
from controlplane.auth.access_keys import AccessKeys, Mode
from controlplane.auth.bearer import Bearers
from controlplane.auth.content_keys import ACCESS_KEYS, Seal
from controlplane.auth.sigv4 import Head, by_name
from controlplane.domain.throttle import Operation
from controlplane.services.tenants import Tenants
from controlplane.store.sqlite import SqliteStore
from shared.clock import SystemClock
from tests.contract.dialects.elastictranscoder.signing import Signer

HOST: Final = "transcoder.example:8080"
ROUNDS: Final = 5
JAVASCRIPT: Final = {
    "content-type": "application/json",
    "x-amz-user-agent": "aws-sdk-js/3.957.0",
    "x-amz-content-sha256": "0" * 64,
    "amz-sdk-invocation-id": "29c8586b-b35d-475b-94a0-38b1bd013d12",
    "amz-sdk-request": "attempt=1; max=3",
}
"""What the SDK for JavaScript signs, besides the host and the moment: the longest list of all."""

Once = Callable[[], Awaitable[object]]


async def measured(once: Once, requests: int) -> list[float]:
    """Microseconds of CPU for each, in every round."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(requests):
            await once()
        found.append((time.process_time() - began) / requests * 1e6)
    return found


async def run(requests: int, state: Path) -> None:
    clock = SystemClock()
    store = SqliteStore(state / "transcoder.db")
    bearers = Bearers(store, clock, dict.fromkeys(Operation, 6000), 600)
    seal = Seal(b"a secret of thirty-two characters", ACCESS_KEYS)
    tenants = Tenants(store, clock, seal)
    tenant = await tenants.create("benchmark", 1)
    _, bearer = await tenants.create_first_key(tenant.id, "", None)
    made, secret = await tenants.create_access_key(tenant.id, await tenants.first_admin(tenant.id), "", None)
    access_keys, signer = AccessKeys(store, clock, bearers, seal, Mode.SIGNED), Signer(made.id, secret)

    def signed(method: str, target: str, body: bytes, more: dict[str, str]) -> Once:
        headers = {"Host": HOST} | signer.headers(method, HOST, target, body, dt.datetime.now(dt.UTC), more)
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]

        async def read() -> bytes:
            return body

        return lambda: access_keys.caller(Head(method, target, by_name(sent)), read, lambda: "192.0.2.1")

    document = json.dumps(job("1111111111111-abcde1")).encode()
    cases: dict[str, Once] = {
        "bearer key": lambda: bearers.principal(f"Bearer {bearer}", lambda: "192.0.2.1"),
        "ListPipelines, boto3": signed("GET", "/2012-09-25/pipelines?Ascending=true", b"", {}),
        f"CreateJob of {len(document)} bytes, boto3": signed(
            "POST", PATH, document, {"Content-Type": "application/json"}
        ),
        f"CreateJob of {len(document)} bytes, JavaScript": signed("POST", PATH, document, JAVASCRIPT),
    }
    print(machine())
    for name, once in cases.items():
        found = await measured(once, requests)
        print(f"{name:36} {statistics.median(found):6.1f} µs   ({min(found):.1f} to {max(found):.1f})")
    await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="In each of five rounds.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        asyncio.run(run(chosen.requests, Path(state)))


if __name__ == "__main__":
    main()
