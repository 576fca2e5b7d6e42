"""An agent at the other end of a cable that is pulled. Run by `test_networks`, in a network of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clips import clip
from tests.e2e.whole.service import COMMAND, SHORT, Service
from tests.soak import times

pytestmark = [pytest.mark.media, pytest.mark.timeout(times(240, 3600))]

LONG = [{"key": "long.mp4", "preset_id": "1351620000001-000010"}]
SPACE, NEAR, FAR = "edge", "10.213.7.1", "10.213.7.2"


@dataclass
class Apart(Service):
    """Its agent lives in another network namespace, at the other end of a cable that can be pulled."""

    settings: dict[str, str] = field(
        default_factory=lambda: {**SHORT, "TRANSCODER_HOST": "0.0.0.0", "TRANSCODER_BEHIND_PROXY": "true"}  # noqa: S104
    )

    def start_agent(self) -> None:
        for words in (
            f"netns add {SPACE}",
            f"link add near type veth peer name far netns {SPACE}",
            f"addr add {NEAR}/30 dev near",
            "link set near up",
            f"-n {SPACE} addr add {FAR}/30 dev far",
            f"-n {SPACE} link set far up",
            f"-n {SPACE} link set lo up",
        ):
            _ip(words)
        for file in (self.root / "agent").rglob("*.json"):  # joined over loopback, it speaks over the cable
            file.write_text(file.read_text().replace(self.url, f"http://{NEAR}:{self.port}"))
        arguments = ("agent", "run", "--state", str(self.root / "agent"), "--config", os.devnull)
        with (self.root / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{SPACE}", *COMMAND, *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **SHORT},
            )

    def cut(self) -> None:
        _ip("link set near down")

    def heal(self) -> None:
        _ip("link set near up")


def _ip(words: str) -> None:
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {words}: {done.stderr}"


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    service = Apart(tmp_path / "service")
    try:
        service.start()
        service.put("in/trailer.mp4", Path(clip("trailer")).read_bytes())
        yield service
    finally:
        service.end()


def test_a_pulled_cable(apart: Apart) -> None:
    job_id = apart.submit("in/trailer.mp4", LONG, f"{uuid4().hex}/")
    apart.until(apart.encoders)
    apart.cut()
    apart.until(lambda: "requeued" in apart.events(job_id), 40)
    apart.heal()
    job = apart.ended(job_id, 120)
    assert job["status"] == "Complete"
    assert apart.events(job_id).count("complete") == 1
    apart.until(lambda: not list((apart.outputs / ".transcoder" / "staging").iterdir()), 20)
