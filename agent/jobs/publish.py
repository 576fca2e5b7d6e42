"""Brings what was made and verified to staging; the control plane makes it visible when it accepts the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from agent.client import ControlPlane
from agent.jobs.failure import OUTPUT_BUCKET_MISSING, OUTPUT_STORAGE_FULL, OUTPUT_UNREACHABLE, AttemptFailed
from agent.racing import together
from agent.refusals import Unreachable
from shared.errors import ErrorCode, StaleLease, TranscoderError
from shared.protocol import AttemptRef, StagedFile, Upload

AT_ONCE: Final = 4
PATIENCE: Final = 24 * 3600.0
"""Seconds: what is encoded already outlives an outage of the control plane, or of the storage, of up to a day."""
_LINKS_PER_FILE: Final = 3

_FAILURES: Final = {
    ErrorCode.STORAGE_FULL: OUTPUT_STORAGE_FULL,
    ErrorCode.QUOTA_EXCEEDED: OUTPUT_STORAGE_FULL,
    ErrorCode.NOT_FOUND: OUTPUT_BUCKET_MISSING,
}
"""What no other node would fare better with."""

OnBytes = Callable[[int], None]


async def publish(
    client: ControlPlane, ref: AttemptRef, directory: Path, files: Iterable[StagedFile], on_bytes: OnBytes
) -> None:
    """Upload every file; raises AttemptFailed when one cannot be."""
    sizes = {file.name: file for file in files}
    try:
        uploads = await client.urls(ref, tuple(sizes.values()))
        await _in_parallel(client, ref, directory, sizes, uploads, on_bytes)
    except StaleLease:
        raise
    except Unreachable as error:
        raise AttemptFailed(OUTPUT_UNREACHABLE) from error
    except TranscoderError as error:
        raise AttemptFailed(_FAILURES.get(error.code, OUTPUT_UNREACHABLE)) from error


async def _in_parallel(
    client: ControlPlane,
    ref: AttemptRef,
    directory: Path,
    sizes: dict[str, StagedFile],
    uploads: tuple[Upload, ...],
    on_bytes: OnBytes,
) -> None:
    """A few at a time; the first that fails ends the others and is raised as itself."""
    queue = iter(uploads)

    async def work() -> None:
        for upload in queue:
            await _upload(client, ref, directory / upload.name, sizes[upload.name], upload.url)
            on_bytes(sizes[upload.name].size)

    await together(work() for _ in range(min(AT_ONCE, len(uploads))))


async def _upload(client: ControlPlane, ref: AttemptRef, path: Path, file: StagedFile, url: str) -> None:
    """A link may have run out by the time its turn comes; then a new one is asked for."""
    for _ in range(_LINKS_PER_FILE):
        try:
            link = url
            await client.persistently(lambda: client.upload(link, path, file.size), patience=PATIENCE)  # noqa: B023 (awaited here)
            return
        except TranscoderError as error:
            if error.code is not ErrorCode.LINK_REFUSED:
                raise
        (renewed,) = await client.urls(ref, (file,))
        url = renewed.url
    raise Unreachable("Every upload link was refused.")
