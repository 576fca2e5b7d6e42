"""Programs of clients as processes, in an environment that has what a guide tells and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 240
"""Seconds."""


def ran(argv: Sequence[str | Path], directory: Path, environment: Mapping[str, str], given: str = "") -> str:
    """What it wrote to its standard output."""
    done = tried(argv, directory, environment, given)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def tried(
    argv: Sequence[str | Path], directory: Path, environment: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=directory,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
