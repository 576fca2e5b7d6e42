"""The whole product as services of a machine that booted systemd. Installs into that machine: only `./run test-system` runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.clips import clip
from tests.system.machine import Machine, run

collect_ignore_glob = [] if os.environ.get("TRANSCODER_SYSTEM_TESTS") else ["test_*.py"]


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Installed as an operator would: control plane, then an agent that joins it."""
    return Machine.install(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough that something can happen while it is encoded."""
    target = tmp_path_factory.mktemp("film") / "film.mp4"
    run("ffmpeg", "-v", "error", "-stream_loop", "5", "-i", str(clip("bunny")), "-c", "copy", str(target))
    return target


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the services said when a test failed."""
    report = yield
    if report.failed:
        told = subprocess.run(
            ["journalctl", "--no-pager", "-n", "80", "-u", "transcoder-*"], capture_output=True, text=True, check=False
        )
        report.sections.append(("journal", told.stdout))
    return report
