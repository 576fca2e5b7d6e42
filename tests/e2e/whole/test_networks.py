"""Networks between agents and the control plane that misbehave: cut and healed, losing, doubling, delaying."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clips import clip
from tests.e2e.whole.losing import FATES, Network
from tests.e2e.whole.service import COMMAND, SHORT, Service
from tests.soak import times

pytestmark = [pytest.mark.media, pytest.mark.timeout(times(240, 3600))]

SOUND = [{"key": "sound.mp3", "preset_id": "1351620000001-300040"}]
LONG = [{"key": "long.mp4", "preset_id": "1351620000001-000010"}]
NEAR, FAR = "10.213.7.1", "10.213.7.2"


@dataclass
class Lossy(Service):
    """Its agent speaks through a network that does not deserve the name."""

    network: Network = field(init=False)
    stack: ExitStack = field(default_factory=ExitStack)

    def url_for_agent(self) -> str:
        self.network = Network(lambda: self.port, seed=1)
        return f"http://127.0.0.1:{self.stack.enter_context(self.network.running())}"

    def end(self) -> None:
        super().end()
        self.stack.close()


@pytest.fixture
def lossy(tmp_path: Path) -> Iterator[Lossy]:
    service = Lossy(tmp_path / "service")
    try:
        service.start()
        service.put("in/bunny.mp4", Path(clip("bunny")).read_bytes())
        yield service
    finally:
        service.end()


def test_messages_that_are_lost_doubled_and_late_lose_and_double_no_job(lossy: Lossy) -> None:
    jobs = [lossy.submit("in/bunny.mp4", SOUND, f"{uuid4().hex}/") for _ in range(times(6, 100))]
    for job_id in jobs:
        job = lossy.ended(job_id, 200)
        assert job["status"] == "Complete", job
        assert lossy.events(job_id).count("complete") == 1
    assert set(lossy.network.fates) == set(FATES), "every fate was met"
    assert len(list(lossy.outputs.rglob("*.mp3"))) == len(jobs)
    lossy.until(lambda: not list((lossy.outputs / ".transcoder" / "staging").iterdir()), 20)


@dataclass
class Apart(Service):
    """Its agent lives in a network namespace, at the other end of a cable that can be pulled."""

    settings: dict[str, str] = field(
        default_factory=lambda: {**SHORT, "TRANSCODER_HOST": "0.0.0.0", "TRANSCODER_BEHIND_PROXY": "true"}  # noqa: S104
    )
    space: str = field(default_factory=lambda: f"edge-{os.getpid()}")

    def start_agent(self) -> None:
        near, far = f"n{os.getpid()}", f"f{os.getpid()}"
        for words in (
            f"netns add {self.space}",
            f"link add {near} type veth peer name {far} netns {self.space}",
            f"addr add {NEAR}/30 dev {near}",
            f"link set {near} up",
            f"-n {self.space} addr add {FAR}/30 dev {far}",
            f"-n {self.space} link set {far} up",
            f"-n {self.space} link set lo up",
        ):
            _ip(words)
        for file in (self.root / "agent").rglob("*.json"):  # joined over loopback, it speaks over the cable
            file.write_text(file.read_text().replace(self.url, f"http://{NEAR}:{self.port}"))
        arguments = ("agent", "run", "--state", str(self.root / "agent"), "--config", os.devnull)
        with (self.root / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(
                ["ip", "netns", "exec", self.space, *COMMAND, *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **SHORT},
            )

    def cut(self) -> None:
        _ip(f"link set n{os.getpid()} down")

    def heal(self) -> None:
        _ip(f"link set n{os.getpid()} up")

    def end(self) -> None:
        super().end()
        with contextlib.suppress(AssertionError):
            _ip(f"netns del {self.space}")


def _ip(words: str) -> None:
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {words}: {done.stderr}"


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    probe = subprocess.run(["ip", "netns", "add", f"probe-{os.getpid()}"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("only root may make network namespaces")
    _ip(f"netns del probe-{os.getpid()}")
    service = Apart(tmp_path / "service")
    try:
        service.start()
        service.put("in/trailer.mp4", Path(clip("trailer")).read_bytes())
        yield service
    finally:
        service.end()


def test_a_cable_that_is_pulled_for_long_costs_an_attempt_and_the_job_ends_once(apart: Apart) -> None:
    job_id = apart.submit("in/trailer.mp4", LONG, f"{uuid4().hex}/")
    apart.until(apart.encoders)
    apart.cut()
    apart.until(lambda: "requeued" in apart.events(job_id), 40)
    apart.heal()
    job = apart.ended(job_id, 120)
    assert job["status"] == "Complete"
    assert apart.events(job_id).count("complete") == 1
    apart.until(lambda: not list((apart.outputs / ".transcoder" / "staging").iterdir()), 20)
