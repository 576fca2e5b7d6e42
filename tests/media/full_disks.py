"""Every muxer against a disk that is too small, with the real ffmpeg and the agent's own work around it.

    unshare --user --map-root-user --mount python -m tests.media.full_disks INPUT DIRECTORY

mounts a small file system for every try, in a namespace where anybody may, and prints as JSON what came of each. The limit
on the size of files, which would help ffmpeg to notice, is left out: several outputs together can pass it by.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from agent.capacity import Space
from agent.jobs.attempt import Attempt
from agent.jobs.failure import AttemptFailed
from agent.jobs.slots import Slots
from agent.jobs.transcode import Transcode
from agent.jobs.workspace import Workspace
from agent.media import Device, plan
from agent.sandbox.none import Unconfined
from agent.vigil import Patience
from shared.clock import SystemClock
from shared.jobspec import Settings, ThumbnailSettings
from shared.protocol import InputSpec, OutputSpec, ThumbnailSpec, TranscodeFile
from tests.unit.agent.builders import GIB, a_capacity, a_start

PAGE: Final = 4096
SHARES: Final = (0.0, 0.5, 0.98)
"""Of what an output needs, there is so much: nothing, half, and all but what is written last."""

PICTURE: Final[dict[str, Any]] = {"codec": "h264", "bit_rate": 900_000, "max_width": 320, "max_height": 180}
SOUND: Final[dict[str, Any]] = {"codec": "aac", "bit_rate": 128_000}


def video(container: str, codec: str, audio: str | None, **others: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"container": container, "video": {**PICTURE, "codec": codec, **others}}
    return settings | ({"audio": {**SOUND, "codec": audio}} if audio else {})


def sound(container: str, codec: str, **others: Any) -> dict[str, Any]:
    return {"container": container, "audio": {"codec": codec, **others}}


CASES: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "mp4": (video("mp4", "h264", "aac"), {}),
    "fmp4": (video("fmp4", "h264", "aac", fixed_gop=True, keyframes_max_distance=25), {}),
    "ts": (video("ts", "h264", "aac"), {}),
    "hls": (video("ts", "h264", "aac"), {"segment_duration": 1.0}),
    "webm": (video("webm", "vp8", "vorbis"), {}),
    "mpg": (video("mpg", "mpeg2", "mp2"), {}),
    "mxf": (
        video("mxf", "mpeg2", None, chroma_subsampling="yuv422p", bit_rate=5_000_000)
        | sound("mxf", "pcm", sample_rate=48000),
        {},
    ),
    "flv": (video("flv", "h264", "aac"), {}),
    "gif": (video("gif", "gif", None, bit_rate=None), {}),
    "mp3": (sound("mp3", "mp3", bit_rate=320_000), {}),
    "mp2": (sound("mp2", "mp2", bit_rate=256_000), {}),
    "flac": (sound("flac", "flac"), {}),
    "ogg": (sound("ogg", "vorbis", bit_rate=256_000), {}),
    "oga": (sound("oga", "flac"), {}),
    "wav": (sound("wav", "pcm", bit_depth=16), {}),
    "png": (video("mp4", "h264", None, bit_rate=100_000), {"thumbnails": "png"}),
    "jpg": (video("mp4", "h264", None, bit_rate=100_000), {"thumbnails": "jpg"}),
}


def task_of(name: str) -> TranscodeFile:
    settings, others = CASES[name]
    made = dict(others)
    if (pictures := made.pop("thumbnails", None)) is not None:
        sizes = ThumbnailSettings(format=pictures, interval=1, max_width=320, max_height=180)
        made["thumbnails"] = ThumbnailSpec(pattern="t-{count}", settings=sizes)
    parsed = Settings.model_validate(settings, strict=False)
    return TranscodeFile(outputs=(OutputSpec(index=0, key="o", settings=parsed, **made),))


async def tried(name: str, source: Path, directory: Path, room: int | None) -> tuple[str, int]:
    """What came of it, "complete" or the reason of the failure, and how many bytes were made."""
    size = "1g" if room is None else str(pages(source.stat().st_size) + room)
    mount(directory, size)
    try:
        (directory / "in").mkdir()
        (directory / "out").mkdir()
        shutil.copyfile(source, directory / "in" / "0")
        outcome = await worked(task_of(name), Workspace(directory))
        return outcome, sum(pages(file.stat().st_size) for file in (directory / "out").iterdir())
    finally:
        unmount(directory)


async def worked(task: TranscodeFile, space: Workspace) -> str:
    source = InputSpec(index=0, url="/", size=space.input(0).stat().st_size)
    order = a_start(inputs=(source,), outputs=task.outputs)
    work = Transcode(
        Attempt(order),
        task,
        space,
        client=None,  # type: ignore[arg-type]  # nothing is fetched and nothing uploaded
        sandbox=Unconfined(),
        slots=Slots(a_capacity(), disk=lambda: Space(free=GIB, reserve=0)),
        scratch_left=lambda: 1 << 40,
        patience=Patience(),
        clock=SystemClock(),
        note=nothing,
    )
    try:
        facts = await work._probe()
        (only,) = plan(task, facts, device=Device.CPU, threads=1).passes
        await work._encoding.run(only, done=0, share=1)
    except AttemptFailed as failed:
        return str(failed.failure.reason or failed.failure.message)
    return "complete" if 0 in work._verified else str(work._failures[0].reason or work._failures[0].message)


async def nothing(*_: object) -> None:
    """Whoever else is told what the attempt does is not here."""


def mount(directory: Path, size: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)], check=True)


def unmount(directory: Path) -> None:
    subprocess.run(["umount", str(directory)], check=True)


def pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


async def _main(source: Path, directory: Path) -> None:
    results: dict[str, dict[str, str]] = {}
    for name in CASES:
        outcome, needed = await tried(name, source, directory, None)
        results[name] = {"unbounded": outcome}
        for share in SHARES:
            room = int(needed * share) // PAGE * PAGE
            results[name][str(share)], _ = await tried(name, source, directory, room)
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), Path(sys.argv[2])))
