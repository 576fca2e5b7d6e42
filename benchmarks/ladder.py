"""What does it save to make a ladder from one decode, and is it as good as a command that somebody writes by hand?

    python -m benchmarks.ladder [--seconds 4] [--rounds 3]

A film of 1920x1080 becomes HLS in 1080, 720, 480 and 360 lines, in turns:
one       the service's own plan of the four, one ffmpeg
each      its plans of each alone, four ffmpegs one after the other
by hand   one ffmpeg with a split, four scalers and the same encoders, rates and key frames
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.media import Device, MediaFacts, plan
from benchmarks.service import machine
from shared.protocol import OutputSpec
from tests import clips
from tests.media.encoding import ffmpeg, probed
from tests.unit.agent.media.builders import a_task, an_output, settings

LADDER = ((1920, 1080, 5_000_000), (1280, 720, 2_500_000), (854, 480, 1_200_000), (640, 360, 700_000))
SEGMENT = 2.0
GROUP = 48
THREADS = 2

Command = Sequence[str]


@dataclass(frozen=True)
class Cost:
    wall: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="ladder-") as folder:
        root, source = Path(folder) / "work", Path(folder) / "film.mp4"
        ffmpeg(
            *("-ss", "10", "-t", str(chosen.seconds), "-i", str(clips.clip("trailer")), "-vf", "scale=1920:1080"),
            *("-r", "24", "-c:v", "libx264", "-preset", "fast", "-crf", "18", "-c:a", "aac", str(source)),
        )
        facts = probed(root, source)
        (root / "out").mkdir()
        ways = {
            "one": planned(facts, *outputs()),
            "each": [command for output in outputs() for command in planned(facts, output)],
            "by hand": [by_hand()],
        }
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, commands in ways.items():
                costs[name].append(cost(root, commands))
    for name, measured in costs.items():
        shown(name, measured, "s")
    for other in ("each", "by hand"):
        pairs = zip(costs["one"], costs[other], strict=True)
        ratios = [Cost(one.wall / two.wall, one.processor / two.processor) for one, two in pairs]
        shown(f"one / {other}", ratios, " ")


def outputs() -> list[OutputSpec]:
    return [
        an_output(
            settings(
                container="ts",
                video={
                    "codec": "h264",
                    "profile": "high",
                    "bit_rate": rate,
                    "max_bit_rate": rate,
                    "buffer_size": 2 * rate,
                    "max_width": width,
                    "max_height": height,
                    "fixed_gop": True,
                    "keyframes_max_distance": GROUP,
                },
                audio={"codec": "aac", "bit_rate": 128_000, "sample_rate": 48000, "channels": 2},
            ),
            index,
            segment_duration=SEGMENT,
        )
        for index, (width, height, rate) in enumerate(LADDER)
    ]


def planned(facts: MediaFacts, *wanted: OutputSpec) -> list[Command]:
    """What an agent would run for these outputs."""
    renumbered = [output.model_copy(update={"index": index}) for index, output in enumerate(wanted)]
    made = plan(a_task(*renumbered), (facts,), device=Device.CPU, threads=THREADS)
    assert not made.refused, made.refused
    return [step for encode in made.passes for step in encode.steps]


def by_hand() -> Command:
    split = f"[0:v]split={len(LADDER)}" + "".join(f"[s{number}]" for number in range(len(LADDER)))
    scaled = [f"[s{number}]scale={width}:{height}[v{number}]" for number, (width, height, _) in enumerate(LADDER)]
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-y", "-i", "in/0"]
    command += ["-filter_complex", ";".join([split, *scaled])]
    for number, (_, _, rate) in enumerate(LADDER):
        command += [
            "-map",
            f"[v{number}]",
            "-map",
            "0:a",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-profile:v",
            "high",
        ]
        command += ["-b:v", str(rate), "-maxrate", str(rate), "-bufsize", str(2 * rate), "-pix_fmt", "yuv420p"]
        command += ["-g", str(GROUP), "-keyint_min", str(GROUP), "-sc_threshold", "0", "-flags", "+cgop"]
        command += ["-force_key_frames", f"expr:gte(t,n_forced*{SEGMENT})"]
        command += ["-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2", "-threads", str(THREADS)]
        command += ["-f", "hls", "-hls_time", str(SEGMENT), "-hls_playlist_type", "vod"]
        command += ["-hls_segment_filename", f"out/hand-{number}-%05d.ts", f"out/hand-{number}.m3u8"]
    return command


def cost(root: Path, commands: Sequence[Command]) -> Cost:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    for command in commands:
        subprocess.run(
            command,
            cwd=root,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def shown(name: str, costs: Sequence[Cost], unit: str) -> None:
    walls, processors = [cost.wall for cost in costs], [cost.processor for cost in costs]
    print(f"{name:<14} wall {_spread(walls)} {unit}   processor {_spread(processors)} {unit}")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
