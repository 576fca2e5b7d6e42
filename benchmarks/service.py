"""A service for measurements: `transcoder up` in a directory that is thrown away, as a context manager."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from controlplane.domain.throttle import Operation


@contextmanager
def running(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """What `transcoder up --json` prints, plus `state`; stopped in order at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder) / "state"
        command = [sys.executable, "-m", "shared.command", "up", "--json", "--state", str(state), *arguments]
        with (Path(folder) / "log").open("wb") as log:
            service = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(environment or {})}
            )
            assert service.stdout is not None
            line = service.stdout.readline()
            if not line:
                raise SystemExit((Path(folder) / "log").read_text())
            try:
                told = json.loads(line)
                _lift_limits(told["url"], told["operator_key"])
                yield {**told, "state": state}
            finally:
                service.send_signal(signal.SIGINT)
                try:
                    service.wait(20)
                except subprocess.TimeoutExpired:
                    service.send_signal(signal.SIGINT)
                    service.wait(30)


def _lift_limits(url: str, operator_key: str) -> None:
    """How much goes through is the question, not how much may."""
    headers = {"Authorization": f"Bearer {operator_key}"}
    with urlopen(Request(f"{url}/v1/tenants", headers=headers)) as answer:
        tenants = json.load(answer)["items"]
    limits = json.dumps(
        {"queued_jobs": None, "running_jobs": None, "output_minutes": None, "stored_bytes": None}
    ).encode()
    rates = json.dumps({"rates": dict.fromkeys(Operation, 60_000_000)}).encode()
    for tenant in tenants:
        path = f"{url}/v1/tenants/{tenant['id']}/quotas"
        with urlopen(Request(path, data=limits, headers=headers, method="PUT")):
            pass
        with urlopen(Request(f"{url}/v1/tenants/{tenant['id']}", data=rates, headers=headers, method="PATCH")):
            pass


def machine() -> str:
    model = next(
        (line.split(": ", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?"
    )
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
