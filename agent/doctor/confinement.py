"""Whether ffmpeg is really shut in: it is sent to a file and to a port that it must not reach."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.doctor.finding import Finding, failure, good, warning
from agent.doctor.subject import Subject
from agent.sandbox import ConfinementError, Exit, Limits, Sandbox, StopRequest

_CANARY: Final = bytes(range(256)) * 16
_PATIENCE: Final = 20.0
_FIX: Final = "apt-get install bubblewrap, or let `transcoder agent join` install the service with its encode units"


async def check(subject: Subject) -> list[Finding]:
    if subject.sandbox is None:
        return [failure(f"ffmpeg cannot be confined: {subject.unconfined_because}", _FIX)]
    try:
        return [await _tried(subject, subject.sandbox)]
    except ConfinementError as error:
        return [failure(f"{subject.sandbox.name} does not work: {error}", _FIX)]


async def _tried(subject: Subject, sandbox: Sandbox) -> Finding:
    with _canary(subject.work) as canary:
        if not (await _read(sandbox, subject.work, "canary", brought=canary)).is_success:
            return failure(f"{sandbox.name} lets ffmpeg read not even its own workspace", _FIX)
        leaks = []
        if (await _read(sandbox, subject.work, str(canary))).is_success:
            leaks.append("reads files of this machine")
        if await _reaches_network(sandbox, subject.work):
            leaks.append("reaches the network")
    if not leaks:
        return good(f"{sandbox.name}: ffmpeg sees its workspace, no other file and no network")
    said = f"{sandbox.name}: a hostile media file {' and '.join(leaks)}"
    return warning(said, _FIX) if subject.settings.insecure_unconfined else failure(said, _FIX)


@contextmanager
def _canary(work: Path) -> Iterator[Path]:
    """A file of this machine that everybody may read."""
    with tempfile.TemporaryDirectory(prefix="doctor.", dir=work) as outside:
        Path(outside).chmod(0o755)
        canary = Path(outside, "canary")
        canary.write_bytes(_CANARY)
        canary.chmod(0o644)
        yield canary


async def _read(sandbox: Sandbox, work: Path, name: str, *, brought: Path | None = None) -> Exit:
    """Any file can be read as sound."""
    source = ["-f", "u8", "-ar", "8000", "-ac", "1", "-i", f"file:{name}"]
    return await _run(sandbox, work, source, brought=brought)


async def _reaches_network(sandbox: Sandbox, work: Path) -> bool:
    reached = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await _run(sandbox, work, ["-f", "u8", "-i", f"tcp://127.0.0.1:{port}?timeout=2000000"])
    return reached.is_set()


async def _run(sandbox: Sandbox, work: Path, source: list[str], *, brought: Path | None = None) -> Exit:
    room = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="doctor.", dir=work))
    if brought is not None:
        shutil.copy(brought, room)
    try:
        return await sandbox.run(
            ["ffmpeg", "-v", "error", "-nostdin", *source, "-f", "null", "-"],
            workspace=room,
            limits=Limits(file_size=1 << 20, wall_time=_PATIENCE),
            on_stdout=lambda _: None,
            stop=StopRequest(),
        )
    finally:
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)
