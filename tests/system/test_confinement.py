"""What ffmpeg can see and do under systemd, looked at from inside, as the user of its unit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clips import clip
from tests.system.machine import AGENT, Machine, encoders, is_active, main_pid, run, unit_of, wait_until

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def encoder(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> int:
    film = tmp_path_factory.mktemp("long") / "long.mp4"
    run("ffmpeg", "-v", "error", "-stream_loop", "10", "-i", str(clip("bunny")), "-c", "copy", str(film))
    _, encoder = machine.encode(film)
    return encoder


def test_it_runs_in_a_unit_of_its_own(encoder: int):
    unit = unit_of(encoder)
    assert unit.startswith("transcoder-encode@")
    shown = run("systemctl", "show", "--property", "MemoryMax,TasksMax", unit)
    assert set(shown.split()) == {"MemoryMax=4294967296", "TasksMax=512"}


def test_it_is_neither_root_nor_the_agent(encoder: int):
    assert os.stat(f"/proc/{encoder}").st_uid not in (0, os.stat(f"/proc/{main_pid(AGENT)}").st_uid)


def test_it_has_no_capabilities_and_filtered_system_calls(encoder: int):
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{encoder}/status").read_text().splitlines())
    assert (status["CapEff"], status["CapBnd"]) == ("0" * 16, "0" * 16)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_it_has_no_network_but_a_dead_loopback(encoder: int):
    interfaces = Path(f"/proc/{encoder}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


def test_it_sees_programs_and_no_file_of_the_machine(encoder: int):
    assert set(inside(encoder, "ls", "/").split()) <= {
        *("bin", "dev", "lib", "lib64", "opt", "proc", "root", "run", "sys", "tmp", "usr", "var", "workspace", "etc")
    }
    assert set(inside(encoder, "ls", "/etc").split()) <= {"alternatives", "ld.so.cache"}
    assert inside(encoder, "ls", "/opt", "/var", "/run").split() == [
        *("/opt:", "edge-transcoder", "/run:", "systemd", "/var:", "tmp")
    ]


def test_it_can_write_into_its_workspace_only(encoder: int):
    find = "find / -xdev -type d -writable -not -path '/workspace/*' -not -path '/proc*' 2>/dev/null || true"
    assert inside(encoder, "sh", "-c", find) == ""
    workspace = os.readlink(f"/proc/{encoder}/cwd")
    assert workspace.startswith("/workspace/")
    inside(encoder, "touch", f"{workspace}/out/written")


def test_it_cannot_see_other_processes(encoder: int):
    pids = [int(name) for name in inside(encoder, "ls", "/proc").split() if name.isdigit()]
    assert main_pid(AGENT) not in pids
    assert 1 not in pids


def test_the_job_is_none_the_worse_for_it(machine: Machine, encoder: int):
    wait_until(lambda: encoder not in encoders(), 270)
    wait_until(lambda: is_active(AGENT), 5)


def inside(pid: int, *argv: str) -> str:
    """Run a program where another one runs: its files, its network, its user."""
    owner = os.stat(f"/proc/{pid}")
    as_user = ("setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups", "--")
    return run("nsenter", "--target", str(pid), "--mount", "--net", f"--root=/proc/{pid}/root", *as_user, *argv)
