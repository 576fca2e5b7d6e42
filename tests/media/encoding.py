"""Runs tasks with the real ffmpeg and the agent's own stages around it: from the fetch to the upload, which stay on this disk."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from agent.capacity import Space
from agent.client import ControlPlane
from agent.feeders import Feeder
from agent.jobs.attempt import Attempt
from agent.jobs.slots import Slots
from agent.jobs.transcode import Transcode
from agent.jobs.workspace import Workspace
from agent.media import MediaFacts, ffprobe_argv, parse_probe
from agent.process import Exit, OnStderr, OnStdout, StopRequest, unheard
from agent.sandbox import Limits
from agent.sandbox.none import Unconfined
from agent.vigil import Patience, Vigil
from shared.clock import SystemClock
from shared.errors import NotFound
from shared.failures import Failure
from shared.protocol import (
    AttemptEvent,
    AttemptRef,
    Cipher,
    DetectedProperties,
    Finished,
    InputSpec,
    OutputResult,
    PlaylistResult,
    ProbedAnswer,
    ProducedObject,
    StagedFile,
    TranscodeFile,
    Upload,
)
from tests.unit.agent.builders import GIB, a_capacity, a_start

ResultT = TypeVar("ResultT")
THREADS = 1
"""With more, what x264 makes of the same pictures differs now and then, and results are compared here bit by bit."""
NOTHING: Mapping[int, Cipher] = {}


@dataclass
class Made:
    """What came of a task: what was reported and uploaded."""

    report: Finished
    uploaded: Path
    commands: list[list[str]] = field(default_factory=list)
    """Every ffmpeg that ran."""
    progress: bytes = b""
    """What they told while they ran."""
    events: tuple[AttemptEvent, ...] = ()

    @property
    def outputs(self) -> dict[int, OutputResult]:
        return {output.index: output for output in self.report.outputs}

    @property
    def playlists(self) -> dict[int, PlaylistResult]:
        return {playlist.index: playlist for playlist in self.report.playlists}

    @property
    def failures(self) -> dict[int, Failure]:
        return {output.index: output.failure for output in self.report.outputs if output.failure is not None}

    def objects(self, index: int = 0, role: str = "media") -> list[ProducedObject]:
        return [made for made in self.outputs[index].objects if made.role == role]

    def files(self, index: int = 0, role: str = "media") -> list[Path]:
        """What was uploaded for an output, in the order of its report."""
        return [self.uploaded / made.name for made in self.objects(index, role)]

    def file(self, index: int = 0) -> Path:
        """The one file of an output."""
        (only,) = self.files(index)
        return only


def transcoded(
    root: Path, source: Path | Sequence[Path], task: TranscodeFile, *, ciphers: Mapping[int, Cipher] = NOTHING
) -> Made:
    """`source`: the objects that the task refers to by their places, some of them encrypted.

    Raises AttemptFailed where nothing came of it.
    """
    return asyncio.run(_transcoded(root, [source] if isinstance(source, Path) else list(source), task, ciphers))


async def _transcoded(root: Path, sources: list[Path], task: TranscodeFile, ciphers: Mapping[int, Cipher]) -> Made:
    uploaded = root.with_name(f"{root.name}-uploaded")
    for folder in (root / "in", root / "out", uploaded):
        folder.mkdir(parents=True)
    companions = _companions(task)
    inputs = tuple(
        InputSpec(
            index=at,
            url=str(path),
            size=path.stat().st_size if path.exists() else 0,
            encryption=ciphers.get(at),
            is_input=at not in companions,
        )
        for at, path in enumerate(sources)
    )
    attempt = Attempt(a_start(inputs=inputs, outputs=task.outputs, threads=THREADS))
    sandbox = Heard()
    work = Transcode(
        attempt,
        task,
        Workspace(root),
        note=_unnoted,
        client=OnThisDisk(uploaded),
        sandbox=sandbox,
        slots=Slots(a_capacity(), disk=lambda: Space(free=GIB, reserve=0)),
        scratch_left=lambda: 1 << 40,
        patience=Patience(),
        clock=SystemClock(),
    )
    report = await work.run()
    return Made(report, uploaded, sandbox.commands, bytes(sandbox.progress), tuple(attempt.events))


def _companions(task: TranscodeFile) -> set[int]:
    """The places of what is no input."""
    told = [*task.captions, *(output.captions.own for output in task.outputs if output.captions is not None)]
    captions = {source.input for captions in told if captions is not None for source in captions.sources}
    return captions | {mark.input for output in task.outputs for mark in output.watermarks}


async def _unnoted(*_: object) -> None:
    """No next start will want to know what this one did."""


class Heard(Unconfined):
    """Keeps what was run, and what it told."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[list[str]] = []
        self.progress = bytearray()

    async def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        limits: Limits,
        on_stdout: OnStdout,
        stop: StopRequest,
        on_stderr: OnStderr = unheard,
        vigil: Vigil | None = None,
        feeders: Sequence[Feeder] = (),
    ) -> Exit:
        def heard(chunk: bytes) -> None:
            if argv[0] == "ffmpeg":
                self.progress += chunk
            on_stdout(chunk)

        if argv[0] == "ffmpeg":
            self.commands += [*(list(feeder.argv) for feeder in feeders), list(argv)]
        return await super().run(
            argv,
            workspace=workspace,
            limits=limits,
            on_stdout=heard,
            stop=stop,
            on_stderr=on_stderr,
            vigil=vigil,
            feeders=feeders,
        )


class OnThisDisk(ControlPlane):
    """A control plane whose links are paths: inputs are where they are, uploads go into a folder."""

    def __init__(self, uploaded: Path) -> None:
        super().__init__("http://control-plane.invalid", "none")
        self._uploaded = uploaded

    async def probed(self, ref: AttemptRef, inputs: tuple[DetectedProperties, ...]) -> ProbedAnswer:
        return ProbedAnswer()

    async def urls(self, ref: AttemptRef, files: tuple[StagedFile, ...]) -> tuple[Upload, ...]:
        return tuple(Upload(name=file.name, url=str(self._uploaded / file.name)) for file in files)

    async def upload(self, url: str, file: Path, size: int) -> None:
        assert file.stat().st_size == size
        shutil.copyfile(file, url)

    @asynccontextmanager
    async def download(
        self, url: str, span: tuple[int, int] | None = None, *, unchanged: str | None = None
    ) -> AsyncIterator[Any]:
        """As a server that knows of no parts answers."""
        if not await asyncio.to_thread(Path(url).exists):
            raise NotFound("object")
        with await asyncio.to_thread(Path(url).open, "rb") as file:

            async def portions(most: int) -> AsyncIterator[bytes]:
                while portion := await asyncio.to_thread(file.read, most):
                    yield portion

            stream = SimpleNamespace(iter_chunked=portions)
            yield SimpleNamespace(status=200, headers={}, content_length=Path(url).stat().st_size, content=stream)

    async def persistently(self, call: Callable[[], Awaitable[ResultT]], *, patience: float | None) -> ResultT:
        return await call()


def probed(root: Path, source: Path) -> MediaFacts:
    """What a file is said to be; raises MediaRefused."""
    (root / "in").mkdir(parents=True)
    shutil.copyfile(source, root / "in" / "0")
    probe = subprocess.run(ffprobe_argv("in/0"), cwd=root, capture_output=True, check=False)
    return parse_probe(probe.stdout, size=source.stat().st_size, stderr=probe.stderr)


def published(made: Made, folder: Path) -> None:
    """What the control plane does: every object under its key in `folder`."""
    for result in (*made.report.outputs, *made.report.playlists):
        for produced in result.objects:
            target = folder / produced.key
            target.parent.mkdir(parents=True, exist_ok=True)
            assert (made.uploaded / produced.name).stat().st_size == produced.size
            shutil.copyfile(made.uploaded / produced.name, target)


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
