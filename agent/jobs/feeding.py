"""Pipes in the workspace, through which several processes, one after the other, feed another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.feeders import Feeder
from agent.jobs.workspace import Workspace
from agent.media import Feeders


@contextmanager
def piped(space: Workspace, feeders: Feeders | None) -> Iterator[list[Feeder]]:
    """Through fresh ones, for one run; nobody, where nobody has to feed it."""
    if feeders is None:
        yield []
        return
    (space.fed / feeders.LIST).write_text(feeders.listed)
    with ExitStack() as pipes:
        yield [
            Feeder(argv, pipes.enter_context(_fifo(space.fed / name)))
            for argv, name in zip(feeders.commands, feeders.pipes, strict=True)
        ]


@contextmanager
def _fifo(path: Path) -> Iterator[Path]:
    """By a name that nobody can make another file's: those in the workspace may be changed by who is confined there."""
    os.mkfifo(path, 0o600)
    descriptor = os.open(path, os.O_PATH)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
