"""The directory of everything an agent keeps, and the claim to be the only agent in it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self


class StateInUse(Exception):
    """Another agent runs on the same directory: its work must not be taken for leftovers."""


@dataclass(frozen=True)
class State:
    root: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    @property
    def starts(self) -> Path:
        return self.root / "starts.json"

    @property
    def facts(self) -> Path:
        return self.root / "facts.json"

    @property
    def directories(self) -> tuple[Path, ...]:
        return self.work, self.journal, self.outbox

    @contextmanager
    def claimed(self) -> Iterator[Self]:
        """Ours alone until it is left, or until this process is gone, however it goes."""
        for directory in (self.root, *self.directories):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateInUse(f"Another agent already runs on {self.root}.") from None
            yield self

    @property
    def is_in_use(self) -> bool:
        try:
            with (self.root / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
