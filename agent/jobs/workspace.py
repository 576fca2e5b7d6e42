"""One directory per attempt, which only the agent (and what it starts there) can enter; gone when the attempt is."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.protocol import AttemptRef

ATTEMPT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}\.[0-9]{1,9}")

FULL: Final = 1 << 20
"""Bytes; with less than that free, what is not whole had no room."""


def is_nameable(ref: AttemptRef) -> bool:
    return ATTEMPT_NAME.fullmatch(f"{ref.task_id}.{ref.attempt}") is not None


def name_of(ref: AttemptRef) -> str:
    """The local name of an attempt: of its directory, its journal entry and its report."""
    if not is_nameable(ref):
        raise ValueError(f"{ref.task_id!r} cannot name an attempt.")
    return f"{ref.task_id}.{ref.attempt}"


@dataclass(frozen=True)
class Workspace:
    root: Path

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def fed(self) -> Path:
        """Where everything lies that is read."""
        return self.root / "in"

    def input(self, index: int) -> Path:
        return self.fed / str(index)

    def drop_inputs(self) -> None:
        """Nobody reads them any more: there may be need for their room."""
        for path in self.fed.iterdir():
            path.unlink()

    @property
    def is_on_full_disk(self) -> bool:
        return shutil.disk_usage(self.root).free < FULL

    def files(self) -> Mapping[str, int]:
        """Name and size of everything that was made."""
        return {path.name: path.stat(follow_symlinks=False).st_size for path in self.out.iterdir() if _is_plain(path)}

    def read(self, name: str, offset: int, length: int) -> bytes:
        with (self.out / name).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def keep_only(self, names: Mapping[str, int]) -> None:
        """Remove everything that was made besides these: what a failed pass left."""
        for path in self.out.iterdir():
            if path.name not in names:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@asynccontextmanager
async def workspace(below: Path, ref: AttemptRef) -> AsyncIterator[Workspace]:
    """A fresh workspace, removed however it is left."""
    root = below / name_of(ref)
    await asyncio.to_thread(remove_workspace, root)
    try:
        for directory in (root, root / "in", root / "out"):
            directory.mkdir(mode=0o700)
        yield Workspace(root)
    finally:
        await asyncio.shield(asyncio.to_thread(remove_workspace, root))


def remove_workspace(root: Path) -> None:
    """Where a sandbox that was killed left a link instead, the link goes; what it names is the sandbox's."""
    if root.is_symlink():
        root.unlink()
    shutil.rmtree(root, ignore_errors=True)


def remove_leftovers(below: Path) -> int:
    """Remove every workspace: called at start, when none can be in use. Tells how many there were."""
    leftovers = list(below.iterdir())
    for root in leftovers:
        remove_workspace(root)
    return len(leftovers)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
