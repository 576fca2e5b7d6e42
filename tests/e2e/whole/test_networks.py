"""Networks between agents and the control plane that misbehave: cut and healed, losing, doubling, delaying."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clips import clip
from tests.e2e.whole.losing import FATES, Network
from tests.e2e.whole.service import Service
from tests.soak import times

pytestmark = [pytest.mark.media, pytest.mark.timeout(times(240, 3600))]

SOUND = [{"key": "sound.mp3", "preset_id": "1351620000001-300040"}]
IN_A_NETWORK_OF_ITS_OWN = (
    *("unshare", "--user", "--map-root-user", "--net", "--mount", "--fork", "--kill-child"),
    *("sh", "-c", 'mount -t tmpfs none /run && ip link set lo up && exec "$@"', "sh"),
)
"""There everybody is root, may lay cables, and leaves none behind."""


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


def test_a_cable_that_is_pulled_for_long_costs_an_attempt_and_the_job_ends_once(tmp_path: Path) -> None:
    clip("trailer")  # fetched while there is a network to fetch it from
    test = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command = [*IN_A_NETWORK_OF_ITS_OWN, *test, str(Path(__file__).with_name("pulled_cable.py"))]
    environment = {**os.environ, "PYTEST_DEBUG_TEMPROOT": str(tmp_path)}
    environment.pop("NOTIFY_SOCKET", None)  # a container's supervisor listens below /run
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-5000:]
