"""What inputs cost a node: memory by their length and number, disk by their size.

    python -m benchmarks.inputs [long] [captioned] [many]

long   a film of two hours and one of a minute, both small: the agent's memory and the most that lay in the workspace
captioned   a film of five minutes with captions within the pictures of an MP4: the most that lay in the workspace
many   64, 65, 128 and 200 inputs of 1280x720 in one output: the memory of the largest ffmpeg, under the limit of a confined
       one, and the most that lay in the workspace

The agent's own stages run here in a process of their own, from the fetch to the upload, unconfined.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.jobs.disk import used
from shared.jobspec.captions import CaptionFormat, MergePolicy
from shared.protocol import CaptionFormatSpec, CaptionSourceSpec, InputCaptionsSpec, OutputCaptionsSpec
from tests.media.encoding import ffmpeg, transcoded
from tests.unit.agent.media.builders import a_task, an_output, parts, settings, thumbnails

MIB = 1 << 20
CONFINED = 4 << 30
"""Bytes of writable memory that an ffmpeg of a node may reserve."""
SMALL = settings(
    container="mp4", video={"codec": "h264", "bit_rate": 100_000}, audio={"codec": "aac", "bit_rate": 32_000}
)
HIGH = settings(container="mp4", video={"codec": "h264", "quality": 24}, audio={"codec": "aac"})


@dataclass(frozen=True)
class Cost:
    seconds: float
    agent: float
    """MiB, at most."""
    ffmpeg: float
    """MiB of the largest, at most."""
    inputs: int
    outputs: int
    peak: int
    """Bytes in the workspace, at most."""


def main() -> None:
    wanted = sys.argv[1:] or ["long", "captioned", "many"]
    with tempfile.TemporaryDirectory(prefix="inputs-") as folder:
        if "long" in wanted:
            _long(Path(folder))
        if "captioned" in wanted:
            _captioned(Path(folder))
        if "many" in wanted:
            _many(Path(folder))


def _long(folder: Path) -> None:
    for name, seconds in (("a minute", 60), ("two hours", 7200)):
        source = folder / f"{seconds}.mp4"
        _film(source, seconds, size="128x72", rate=10)
        outputs = (an_output(SMALL, thumbnails=thumbnails(60)), an_output(SMALL, 1))
        cost = _measured(folder / f"{seconds}", [source], a_task(*outputs))
        _tell(name, cost, _share(cost))


def _captioned(folder: Path) -> None:
    film, texts = folder / "captioned.mp4", folder / "en.srt"
    _film(film, 300, size="320x180", rate=25)
    texts.write_text("".join(f"{at}\n{srt(2 * at)} --> {srt(2 * at + 1)}\nCaption {at}\n\n" for at in range(140)))
    captions = OutputCaptionsSpec(formats=(CaptionFormatSpec(format=CaptionFormat.CEA_708),))
    task = a_task(an_output(HIGH, captions=captions))
    sources = (CaptionSourceSpec(input=1, language="en"),)
    told = InputCaptionsSpec(merge_policy=MergePolicy.MERGE_OVERRIDE, sources=sources)
    cost = _measured(folder / "captions", [film, texts], task.model_copy(update={"captions": (told,)}))
    _tell("captioned", cost, _share(cost))


def srt(seconds: int) -> str:
    return f"00:{seconds // 60:02d}:{seconds % 60:02d},000"


def _many(folder: Path) -> None:
    source = folder / "one.mp4"
    _film(source, 1, size="1280x720", rate=25)
    for count in (64, 65, 128, 200):
        specs = tuple(spec.model_copy(update={"source": 0}) for spec in parts(count))
        cost = _measured(folder / f"{count}", [source], a_task(an_output(HIGH), parts=specs))
        _tell(f"{count} inputs", cost, _share(cost))


def _share(cost: Cost) -> str:
    return (
        f"peak scratch {cost.peak / MIB:.1f} MiB = {cost.peak / (cost.inputs + cost.outputs):.2f} x (inputs + outputs)"
    )


def _film(file: Path, seconds: int, *, size: str, rate: int) -> None:
    picture = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")
    sound = ("-f", "lavfi", "-i", f"sine=r=44100:d={seconds}")
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-b:a", "32k", str(file))


def _measured(root: Path, sources: list[Path], task: Any) -> Cost:
    """In a fresh process: what an earlier one held is not counted."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_run, (root, sources, task))


def _run(root: Path, sources: list[Path], task: Any) -> Cost:
    resource.setrlimit(resource.RLIMIT_DATA, (CONFINED, CONFINED))
    peak, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            peak[0] = max(peak[0], used(root))

    looking = threading.Thread(target=look)
    looking.start()
    began = time.monotonic()
    try:
        made = transcoded(root, sources, task)
    finally:
        ended.set()
        looking.join()
    assert made.failures == {}, made.failures
    uploaded = sum(file.stat().st_size for file in made.uploaded.iterdir())
    return Cost(
        seconds=time.monotonic() - began,
        agent=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        ffmpeg=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        inputs=sum(source.stat().st_size for source in sources),
        outputs=uploaded,
        peak=peak[0],
    )


def _tell(name: str, cost: Cost, more: str) -> None:
    sys.stdout.write(
        f"{name}: {cost.seconds:.0f} s, agent {cost.agent:.0f} MiB, ffmpeg {cost.ffmpeg:.0f} MiB, {more}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
