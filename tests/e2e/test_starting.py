"""What keeps a service on this machine from starting is said in a sentence."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.store.sqlite import only_one
from tests.e2e.processes import Server


def run(*argv: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "shared.command", *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = run("up", "--state", tmp_path, "--port", str(taken.getsockname()[1]))
    assert (code, "Traceback" in said, "address already in use" in said) == (1, False, True)


@pytest.mark.parametrize("command", [("up",), ("demo", __file__)])
def test_a_state_that_another_service_has(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "controlplane").mkdir()
    lock = only_one(tmp_path / "controlplane" / "transcoder.db")
    code, said = run(*command, "--state", tmp_path)
    os.close(lock)
    assert (code, "Traceback" in said, "stop it first" in said) == (1, False, True)


def test_a_service_that_runs_keeps_its_certificate_when_it_is_set_up_again(tmp_path: Path) -> None:
    assert run("server", "init", "--state", tmp_path, "--name", "control.example.net")[0] == 0
    certificate = (tmp_path / "tls" / "server.pem").read_bytes()
    lock = only_one(tmp_path / "transcoder.db")
    code, said = run("server", "init", "--state", tmp_path, "--name", "another.example.net")
    os.close(lock)
    assert (code, "stop it first" in said) == (1, True)
    assert (tmp_path / "tls" / "server.pem").read_bytes() == certificate


async def test_a_server_that_never_was_ready_is_killed_without_another_complaint(tmp_path: Path) -> None:
    """What a test tells of it stands in its log, and is not hidden by what is done in the end."""
    lock = only_one(tmp_path / "transcoder.db")
    server = Server(tmp_path)
    with pytest.raises(AssertionError, match="stop it first"):
        await server.start()
    os.close(lock)
    await server.kill()
