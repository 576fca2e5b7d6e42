"""A program whose wall clock somebody sets: `python -m tests.e2e.stepping FILE MODULE ARGUMENTS…`.

FILE holds by how many seconds the clock is wrong. Nothing in the program knows of this.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path


class WallClock:
    """From outside: the clock of one process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set_by(0)

    def set_by(self, seconds: int) -> None:
        """In one write: whoever reads meanwhile sees the one or the other."""
        self._file.write_text(f"{seconds:+020d}")

    @property
    def program(self) -> tuple[str, ...]:
        """Before the module that is to run."""
        return ("tests.e2e.stepping", str(self._file))


def _step(file: int) -> None:
    true_time, true_time_ns = time.time, time.time_ns

    def wrong() -> int:
        return int(os.pread(file, 20, 0) or 0)

    time.time = lambda: true_time() + wrong()
    time.time_ns = lambda: true_time_ns() + wrong() * 1_000_000_000


if __name__ == "__main__":
    _, path, module, *_ = sys.argv
    _step(os.open(path, os.O_RDONLY))
    del sys.argv[:2]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
