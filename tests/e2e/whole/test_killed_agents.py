"""An agent killed at random points of a job: nothing of it is left behind, and the job ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.whole.between import Between, Trap
from tests.e2e.whole.service import Service
from tests.soak import times

pytestmark = [pytest.mark.media, pytest.mark.timeout(times(300, 3600))]

POINTS = ("fetch", "encode", "verify", "upload", "report", "report answered")
KILLS = times(8, 50)
OUTPUT = {
    "container": "mp4",
    "video": {"codec": "h264", "bit_rate": 400_000, "max_width": 320, "max_height": 240},
    "audio": {"codec": "aac", "bit_rate": 64_000},
}


@dataclass
class Watched(Service):
    between: Between = field(init=False)

    def url_for_agent(self) -> str:
        self.between = Between(self.port)
        self.between.start()
        return f"http://127.0.0.1:{self.between.port}"

    def end(self) -> None:
        super().end()
        self.between.end()

    def kill_agent(self) -> None:
        assert self.agent is not None
        self.agent.kill()
        self.agent.wait()

    def works(self) -> list[str]:
        """Command lines of what runs in the agent's workspaces, whatever it is and whoever its parent is."""
        ours = "/".join((*self.root.parts[-2:], "agent", "work"))
        found = []
        for entry in filter(str.isdecimal, os.listdir("/proc")):
            try:
                mounts = Path(f"/proc/{entry}/mountinfo").read_text()
                here = os.readlink(f"/proc/{entry}/cwd")
                words = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if words and ours in mounts + here:
                found.append(words)
        return found

    def left_behind(self) -> list[Path]:
        """Files of attempts, on the node and in staging."""
        staging = (self.root / "server" / "buckets").glob("*/*/.transcoder/staging/*")
        agent = self.root / "agent"
        return [*staging, *(agent / "work").iterdir(), *(agent / "journal").iterdir(), *(agent / "outbox").iterdir()]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    service = Watched(tmp_path_factory.mktemp("killed"))
    service.settings["TRANSCODER_BREAKER_FAULTS"] = "1000"  # the node is not to blame
    movie = service.root / "movie.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=4", "-f", "lavfi", "-i", "sine=d=4"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-preset", "ultrafast", "-b:v", "4M", str(movie)], check=True)
    try:
        service.start()
        service.put("movie.mp4", movie.read_bytes())
        yield service
    finally:
        service.end()


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_agent_leaves_nothing_and_its_job_ends_right(watched: Watched, number: int) -> None:
    chance = random.Random(number)
    point = POINTS[number % len(POINTS)]
    is_killed = kill_at(watched, point, chance)
    prefix = f"{number}/"
    job_id = watched.submit("movie.mp4", [{"key": "o.mp4", "settings": OUTPUT}], prefix)
    assert is_killed.wait(60), watched.logs()
    watched.until(lambda: not watched.works(), 5)
    watched.start_agent()
    job = watched.ended(job_id)
    assert job["status"] == "Complete", (point, job)
    assert job["attempt"]["number"] <= 2
    made = watched.outputs / prefix
    assert sorted(path.name for path in made.iterdir()) == ["o.mp4"]
    probed = subprocess.run(["ffprobe", "-v", "error", "-count_packets", str(made / "o.mp4")], check=False)
    assert probed.returncode == 0
    watched.until(lambda: not watched.left_behind(), 10)


def kill_at(watched: Watched, point: str, chance: random.Random) -> threading.Event:
    """Arms the kill, somewhere within that part of the next job."""
    requests = {
        "fetch": Trap(b"GET /objects/", chance.randrange(1_000_000), of_answer=True, spring=watched.kill_agent),
        "upload": Trap(b"PUT /objects/", chance.randrange(100_000), of_answer=False, spring=watched.kill_agent),
        "report": Trap(b"POST /agent/v1/report", -1_000_000, of_answer=False, spring=watched.kill_agent),
        "report answered": Trap(b"POST /agent/v1/report", -1_000_000, of_answer=True, spring=watched.kill_agent),
    }
    if point in requests:
        watched.between.set(requests[point])
        return watched.between.has_sprung
    return kill_while(watched, b"-progress" if point == "encode" else b"-count_packets", chance.random() * 0.5)


def kill_while(watched: Watched, word: bytes, later: float) -> threading.Event:
    """A while after a process with this word on its command line appeared; processes tell nobody that they start."""
    is_killed = threading.Event()

    def wait_and_kill() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not any(word.decode() in words for words in watched.works()):
            time.sleep(0.002)
        time.sleep(later if word == b"-progress" else later / 10)
        watched.kill_agent()
        is_killed.set()

    threading.Thread(target=wait_and_kill, daemon=True).start()
    return is_killed
