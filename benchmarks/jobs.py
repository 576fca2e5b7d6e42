"""What does the service add to ffmpeg, how soon does it begin, and how soon does it stop?

    python -m benchmarks.jobs [CLIP] [--pairs 9] [--starts 15] [--stops 9]

ratio   wall time of a job, from its submission on an idle service to Complete, by the wall time of the very same ffmpeg
        command run by hand, unconfined, in a directory of its own; in pairs, one after the other
start   from sending the job (input of at most 10 MB, a system that does nothing else) to the encoding ffmpeg's start
stop    from sending the stop to the last ffmpeg's end
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.calls import argv, call, encoders, ended, started
from benchmarks.service import machine, running
from controlplane.commands import documents
from tests import clips


def submitted(service: dict[str, Any], document: dict[str, Any] | None = None) -> Any:
    prefix = f"{uuid.uuid4().hex}/"
    wanted = documents.ladder(service["pipeline_id"], service["sample_key"], prefix)
    return call(service, "POST", "/v1/jobs", document or wanted)


def first_encoder(service: dict[str, Any]) -> int:
    while True:
        for pid in encoders(service):
            return pid
        time.sleep(0.002)


def pair(service: dict[str, Any], clip: Path) -> tuple[float, float]:
    """Seconds of the job, and of its command by hand."""
    job = submitted(service)
    command = argv(first_encoder(service))
    job = ended(service, job["id"])
    assert job["status"] == "Complete", job
    times = [dt.datetime.fromisoformat(job["timing"][name]) for name in ("submitted_at", "finished_at")]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        (workspace / "in").mkdir()
        (workspace / "out").mkdir()
        shutil.copy(clip, workspace / "in" / "0")
        began = time.monotonic()
        subprocess.run(command, cwd=workspace, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        by_hand = time.monotonic() - began
    return (times[1] - times[0]).total_seconds(), by_hand


def start(service: dict[str, Any]) -> float:
    """Seconds from sending a job to the start of its encoder."""
    began = time.time()
    job = submitted(service)
    seconds = started(first_encoder(service)) - began
    stop(service, job["id"])
    return seconds


def stop(service: dict[str, Any], job_id: str) -> float:
    """Seconds from asking to stop to the end of the last encoder."""
    began = time.monotonic()
    call(service, "POST", f"/v1/jobs/{job_id}/stop")
    while encoders(service):
        time.sleep(0.005)
    seconds = time.monotonic() - began
    assert ended(service, job_id)["status"] == "Canceled"
    return seconds


def stops(service: dict[str, Any]) -> float:
    job = submitted(service)
    first_encoder(service)
    time.sleep(1.0)  # in the middle of its work
    return stop(service, job["id"])


def shown(name: str, values: list[float], unit: str) -> None:
    print(
        f"{name:<8} p50 {statistics.median(values):8.3f} {unit}   ({min(values):.3f} to {max(values):.3f}, n={len(values)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?", default=None, help="a film trailer of 55 s by default")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--stops", type=int, default=9)
    chosen = parser.parse_args()
    film = chosen.clip or clips.clip("trailer")
    with running("--sample", str(film)) as service:
        print(machine())
        shown("start", [start(service) for _ in range(chosen.starts)], "s")
        shown("stop", [stops(service) for _ in range(chosen.stops)], "s")
        pairs = [pair(service, film) for _ in range(chosen.pairs)]
        shown("job", [job for job, _ in pairs], "s")
        shown("by hand", [by_hand for _, by_hand in pairs], "s")
        shown("ratio", [job / by_hand for job, by_hand in pairs], " ")


if __name__ == "__main__":
    main()
