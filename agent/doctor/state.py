"""The agent's own files: its alone, and writable."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.doctor.finding import Finding, failure, good
from agent.doctor.subject import Subject
from agent.files import remove_durably, write_durably
from agent.identity import CREDENTIAL
from agent.state import State


async def check(subject: Subject) -> list[Finding]:
    root = subject.settings.state
    if not root.is_dir():
        return [failure(f"{root} does not exist", "transcoder agent join URL --token-file FILE")]
    wrong = [*_exposed(root), *_of_others(subject), *_unwritable(root)]
    return wrong or [good(f"{root} is the agent's alone and can be written")]


def _exposed(root: Path) -> Iterator[Finding]:
    """What others than the owner can read or write: a credential by nobody else, the rest by no stranger."""
    state = State(root)
    for path, allowed in ((root, 0o750), (state.work, 0o770), (state.outbox, 0o750), (root / CREDENTIAL, 0o600)):
        mode = _mode(path)
        if mode is not None and mode & ~allowed & 0o777:
            yield failure(f"{path} can be opened by others (mode {mode:04o})", f"chmod {mode & allowed:04o} {path}")


def _of_others(subject: Subject) -> Iterator[Finding]:
    """A command that root ran by hand leaves files which the service cannot replace."""
    root = subject.settings.state
    for path in (root, *State(root).directories):
        if path.exists() and path.stat().st_uid != subject.user.uid:
            yield failure(f"{path} belongs to another user than the agent's", f"chown -R --reference={root} {path}")


def _unwritable(root: Path) -> Iterator[Finding]:
    trial = root / "written-by-doctor"
    try:
        write_durably(trial, b"can this be written?")
        remove_durably(trial)
    except OSError as error:
        yield failure(f"{root} cannot be written: {error.strerror}", f"make room on, or remount, the disk of {root}")


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(os.lstat(path).st_mode)
    except OSError:
        return None
