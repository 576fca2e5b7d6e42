"""Every planted bug is found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
COPIED = ("agent", "controlplane", "shared", "tests", "pyproject.toml")
TESTS_FAILED = 1
"""Pytest's exit code; any other would be a failure for another reason than a failed test."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_planted_bug_makes_a_test_red(patch: Path, copy: Path) -> None:
    red = re.search(r"^Red: (.+)$", patch.read_text(), re.MULTILINE)
    assert red is not None, "the patch names no test"
    applied = subprocess.run(["git", "apply", str(patch)], cwd=copy, capture_output=True, text=True)
    assert applied.returncode == 0, applied.stderr
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *red[1].split()]
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    assert ran.returncode == TESTS_FAILED, f"it was not found:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
