"""Runs plans with the real ffmpeg: what the agent does around `agent.media`, without its processes and uploads."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.media import (
    Device,
    MediaFacts,
    Package,
    Pass,
    Verified,
    ffprobe_argv,
    inspections,
    judge,
    package,
    parse_probe,
    plan,
)
from shared.failures import Failure
from shared.protocol import TranscodeFile


@dataclass
class Workspace:
    """A job's folder, and what became of it."""

    root: Path
    facts: MediaFacts
    passes: tuple[Pass, ...] = ()
    refused: Mapping[int, Failure] = field(default_factory=dict)
    verified: dict[int, Verified] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    progress: bytes = b""

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def files(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in self.out.iterdir()}

    def read(self, name: str, offset: int, length: int) -> bytes:
        with (self.out / name).open("rb") as file:
            file.seek(offset)
            return file.read(length)


def probed(root: Path, source: Path) -> Workspace:
    """A workspace with the input in it; raises MediaRefused."""
    (root / "in").mkdir(parents=True)
    (root / "out").mkdir()
    shutil.copyfile(source, root / "in" / "0")
    probe = subprocess.run(ffprobe_argv("in/0"), cwd=root, capture_output=True, check=False)
    return Workspace(root, parse_probe(probe.stdout, size=source.stat().st_size, stderr=probe.stderr))


def transcoded(root: Path, source: Path, task: TranscodeFile) -> Workspace:
    workspace = probed(root, source)
    planned = plan(task, (workspace.facts,), device=Device.CPU, threads=2)
    workspace.passes, workspace.refused = planned.passes, planned.refused
    for one in planned.passes:
        _run(workspace, one)
    return workspace


def _run(workspace: Workspace, one: Pass) -> None:
    ended = subprocess.run(one.argv, cwd=workspace.root, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")
    workspace.progress += ended.stdout
    for output in one.outputs:
        probes = {i.name: _stdout(i.argv, workspace.root) for i in inspections(output, workspace.files)}
        result = judge(output, workspace.files, probes, read=workspace.read, stderr_tail=ended.stderr)
        if isinstance(result, Verified):
            workspace.verified[output.index] = result
        else:
            workspace.failures[output.index] = result


def published(workspace: Workspace, task: TranscodeFile, folder: Path) -> Package:
    """What the control plane does: every object under its key in `folder`."""
    result = package(task, workspace.verified, read=workspace.read)
    for name, content in result.files.items():
        (workspace.out / name).write_bytes(content)
    for made in (*result.outputs, *result.playlists):
        for produced in made.objects:
            target = folder / produced.key
            target.parent.mkdir(parents=True, exist_ok=True)
            assert (workspace.out / produced.name).stat().st_size == produced.size
            shutil.copyfile(workspace.out / produced.name, target)
    return result


def ffprobe(path: Path | str, *options: str, cwd: Path | None = None) -> dict[str, Any]:
    """An independent look at a file: not through the code under test."""
    argv = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", *options, str(path)]
    answer: dict[str, Any] = json.loads(_stdout(argv, cwd))
    return answer


def key_frame_times(path: Path) -> list[float]:
    shown = ffprobe(path, "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags")
    return [round(float(packet["pts_time"]), 3) for packet in shown["packets"] if packet["flags"].startswith("K")]


def _stdout(argv: list[str], cwd: Path | None) -> bytes:
    return subprocess.run(argv, cwd=cwd, capture_output=True, stdin=subprocess.DEVNULL, check=False).stdout


def ffmpeg(*options: str) -> None:
    """Makes an input for a test."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *options], check=True, stdin=subprocess.DEVNULL)
