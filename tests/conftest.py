"""What holds for every test."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")  # a machine that is busy elsewhere is no fault of an example

_MARK = "TESTS_OF_PROCESS"
_ENDING_SECONDS = 10
"""For what was told to end and was not waited for."""


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the very end, after every other fixture: whoever inherited our mark, or works in our directories."""
    directory = str(tmp_path_factory.getbasetemp()).encode()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(_MARK, str(os.getpid()))
        yield
    latest = time.monotonic() + _ENDING_SECONDS
    while (left := _left_behind(directory)) and time.monotonic() < latest:
        time.sleep(0.1)
    assert left == []


@pytest.fixture(autouse=True)
def _logging_is_as_it_was() -> Iterator[None]:
    """A command that runs within a test sets it up for the whole process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def _left_behind(directory: bytes) -> list[str]:
    """The command of each, and the test that began it."""
    mark = f"{_MARK}={os.getpid()}".encode()
    found = []
    for process in Path("/proc").glob("[1-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended, or belongs to somebody else
        if mark in environment or directory in command:
            test = [one.decode() for one in environment if one.startswith(b"PYTEST_CURRENT_TEST=")]
            found.append(" ".join((process.name, *command.decode(errors="replace").split("\0"), *test)))
    return found
