"""A whole service in processes of its own: a control plane and an agent that can be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PYTHON = (sys.executable, "-m")
COMMAND = (*PYTHON, "shared.command")
SHORT = {
    # silence is noticed within seconds, so that a test does not wait for what an operator would
    "TRANSCODER_LEASE": "6",
    "TRANSCODER_BEAT_INTERVAL": "1",
    "TRANSCODER_PROGRESS_INTERVAL": "0.1",
    "TRANSCODER_REAP_INTERVAL": "0.5",
    "TRANSCODER_AMNESTY": "0",
    "TRANSCODER_SHUTDOWN_GRACE": "5",
}


class Refused(Exception):
    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem}")
        self.status = status
        self.problem = problem


@dataclass
class Service:
    """`start` makes everything; what is set up is a tenant with two buckets and a pipeline.

    `program` stands before the module that the control plane runs.
    """

    root: Path
    port: int = 0
    server: subprocess.Popen[bytes] | None = None
    agent: subprocess.Popen[bytes] | None = None
    operator_key: str = ""
    tenant_key: str = ""
    tenant_id: str = ""
    pipeline_id: str = ""
    settings: dict[str, str] = field(default_factory=lambda: dict(SHORT))
    program: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url_for_agent(self) -> str:
        """Another one where something stands in between."""
        return self.url

    @property
    def outputs(self) -> Path:
        return self.root / "server" / "buckets" / self.tenant_id / "output"

    def start(self) -> None:
        self.start_empty()
        self.call("POST", "/v1/clusters", {"id": "here"}, key=self.operator_key)
        self.tenant_id = self.call("POST", "/v1/tenants", {"name": "somebody"}, key=self.operator_key)["id"]
        self.tenant_key = self.call("POST", f"/v1/tenants/{self.tenant_id}/keys", {}, key=self.operator_key)["key"]
        for name in ("input", "output"):
            self.call("POST", "/v1/buckets", {"name": name})
        wanted = {"name": "p", "input_bucket": "input", "output_bucket": "output"}
        self.pipeline_id = self.call("POST", "/v1/pipelines", wanted)["id"]
        token = self.call("POST", "/v1/clusters/here/join-tokens", {}, key=self.operator_key)["token"]
        file = self.root / "token"
        file.write_text(token)
        _output(
            *COMMAND,
            "agent",
            "join",
            self.url_for_agent(),
            "--token-file",
            str(file),
            "--state",
            self._agent_state,
            "--no-service",
        )
        self.start_agent()

    def start_empty(self) -> None:
        """A control plane with an operator: nobody and nothing else."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.operator_key = _output(*COMMAND, "server", "init", "--state", str(self.root / "server")).strip()
        self.start_server()

    def start_server(self) -> None:
        arguments = ("server", "run", "--state", str(self.root / "server"), "--port", str(self.port))
        self.server = self._spawn("server.log", *PYTHON, *self.program, COMMAND[-1], *arguments)
        self.until(self.is_ready)

    def start_agent(self) -> None:
        self.agent = self._spawn(
            "agent.log", *COMMAND, "agent", "run", "--state", self._agent_state, "--config", os.devnull
        )

    def end(self) -> None:
        for process in (self.agent, self.server):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def is_ready(self) -> bool:
        try:
            return bool(self.call("GET", "/readyz")["status"] == "ready")
        except (Refused, urllib.error.URLError, ConnectionError):
            return False

    def call(self, method: str, path: str, document: Any = None, *, key: str | None = None) -> Any:
        """The answer as JSON. Raises Refused."""
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, data=body, method=method)  # noqa: S310 (our own address)
        request.add_header("Authorization", f"Bearer {key or self.tenant_key}")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                text = response.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.loads(error.read() or b"{}")) from error

    def put(self, key: str, content: bytes) -> None:
        url = self.call("POST", "/v1/buckets/input/uploads", {"key": key})["url"]
        request = urllib.request.Request(url, data=content, method="PUT")  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            assert response.status == 201

    def submit(self, key: str, outputs: list[dict[str, Any]], prefix: str, **fields: Any) -> str:
        document = {
            "pipeline_id": self.pipeline_id,
            "inputs": [{"key": key}],
            "output_key_prefix": prefix,
            "outputs": outputs,
            **fields,
        }
        return str(self.call("POST", "/v1/jobs", document)["id"])

    def job(self, job_id: str) -> Any:
        return self.call("GET", f"/v1/jobs/{job_id}")

    def ended(self, job_id: str, seconds: float = 120) -> Any:
        self.until(lambda: self.job(job_id)["status"] in ("Complete", "Canceled", "Error"), seconds)
        return self.job(job_id)

    def events(self, job_id: str) -> list[str]:
        return [event["type"] for event in self.call("GET", f"/v1/jobs/{job_id}/events")["items"]]

    def encoders(self) -> list[int]:
        """Processes of ffmpeg that work below this service's directory, dead ones that nobody reaped aside."""
        found = []
        ours = "/".join(self.root.parts[-3:])  # mounts are told from the root of their file system, which may be /tmp
        for entry in filter(str.isdecimal, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                mounts = Path(f"/proc/{entry}/mountinfo").read_text()
                here = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if words[0].endswith(b"ffmpeg") and b"-progress" in words and ours in mounts + here:
                found.append(int(entry))
        return found

    def until(self, is_so: Callable[[], Any], seconds: float = 60) -> None:
        """Asks again and again: these are other processes, and they tell nobody."""
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                raise AssertionError(f"still not so after {seconds} s\n{self.logs()}")
            time.sleep(0.02)

    def logs(self) -> str:
        return "\n".join(file.read_text()[-4000:] for file in sorted(self.root.glob("*.log")))

    @property
    def _agent_state(self) -> str:
        return str(self.root / "agent")

    def _spawn(self, log: str, *argv: str) -> subprocess.Popen[bytes]:
        with (self.root / log).open("ab") as file:
            return subprocess.Popen(
                argv,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.settings},
            )


def _output(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
