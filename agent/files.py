"""Small files that must survive a power cut: a reader sees the old content or the new, never half of either."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_DRAFT: Final = ".draft"


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file; returns when both the content and the name are on disk."""
    draft = path.with_name(f".{path.name}{_DRAFT}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def remove_drafts(directory: Path) -> None:
    """What a writer that was killed left half written."""
    for draft in directory.glob(f".*{_DRAFT}"):
        draft.unlink(missing_ok=True)


def remove_durably(path: Path) -> None:
    """Remove a file, if it is there; it does not come back after a power cut."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
