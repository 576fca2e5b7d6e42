"""A machine on which everything is installed, and what the tests do to it."""

from __future__ import annotations

import json
import logging
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

URL = "http://127.0.0.1:8080"
TRANSCODER = "/usr/local/bin/transcoder"
AGENT = "transcoder-agent.service"
CONTROL_PLANE = "transcoder-controlplane.service"
PROJECT = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    tenant_key: str
    operator_key: str

    @classmethod
    def install(cls, keys: Path) -> Machine:
        run(str(PROJECT / "run"), "install", timeout=240)
        operator_key = run(TRANSCODER, "server", "init").split()[-1]
        run(TRANSCODER, "server", "install")
        operator = {"TRANSCODER_KEY": operator_key}
        run(TRANSCODER, "clusters", "create", "here", environment=operator)
        tenant = call(operator_key, "/v1/tenants", {"name": "somebody"})
        tenant_key = call(operator_key, f"/v1/tenants/{tenant['id']}/keys", {"label": "tests"})["key"]
        for bucket in ("input", "output"):
            call(tenant_key, "/v1/buckets", {"name": bucket})
        call(tenant_key, "/v1/pipelines", {"name": "films", "input_bucket": "input", "output_bucket": "output"})
        token = keys / "join-token"
        token.write_text(run(TRANSCODER, "nodes", "join-token", "here", environment=operator))
        run(TRANSCODER, "agent", "join", URL, "--token-file", str(token))
        return cls(tenant_key, operator_key)

    def submit(self, film: Path) -> str:
        """The id of a job with the usual outputs."""
        job = run(TRANSCODER, "submit", str(film), "-o", "json", environment={"TRANSCODER_KEY": self.tenant_key})
        return str(json.loads(job)["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        return call(self.tenant_key, f"/v1/jobs/{job_id}")

    def completes(self, job_id: str, *, within: float = 240) -> bool:
        def has_ended() -> bool:
            try:
                return self.job(job_id)["status"] in ("Complete", "Error", "Canceled")
            except OSError:
                return False  # the control plane is starting

        wait_until(has_ended, within)
        return self.job(job_id)["status"] == "Complete"

    def encode(self, film: Path) -> tuple[str, int]:
        """A job, and the process that encodes it."""
        job_id = self.submit(film)
        wait_until(lambda: bool(encoders()), 60)
        return job_id, encoders()[0]


def encoders() -> list[int]:
    """Every ffmpeg that reports progress: those that encode."""
    found = subprocess.run(["pgrep", "-f", "^ffmpeg .*-progress"], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def unit_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("/")[2]


def main_pid(unit: str) -> int:
    return int(run("systemctl", "show", "--property", "MainPID", "--value", unit))


def is_active(unit: str) -> bool:
    return subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0


def call(key: str, path: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
    if document is not None:
        log.info("POST %s %s", path, document)
    request = urllib.request.Request(  # noqa: S310
        URL + path,
        data=None if document is None else json.dumps(document).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        result: dict[str, Any] = json.load(answer)
    return result


def run(*argv: str, environment: dict[str, str] | None = None, timeout: float = 120) -> str:
    """What a command writes to its standard output. It is told before it starts, so that one that hangs is known."""
    log.info("$ %s", " ".join(argv))
    path = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    try:
        done = subprocess.run(
            argv, env=path | (environment or {}), capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"{' '.join(argv)} had not ended after {timeout:g} s: {late.stderr!r} {late.stdout!r}")
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}{done.stdout}"
    return done.stdout.strip()


def wait_until(holds: Callable[[], bool], within: float) -> None:
    """Other processes do it in their own time: looks again until then."""
    log.info("waiting at most %g s for %s", within, holds.__qualname__)
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"did not happen within {within} s"
        time.sleep(0.05)
