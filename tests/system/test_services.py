"""What is promised of the installed services, whatever is killed or stopped."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from tests.clips import clip
from tests.system.machine import (
    AGENT,
    CONTROL_PLANE,
    TRANSCODER,
    Machine,
    encoders,
    is_active,
    main_pid,
    run,
    wait_until,
)

pytestmark = pytest.mark.system


def test_a_film_is_transcoded(machine: Machine):
    run(
        TRANSCODER,
        "submit",
        str(clip("bunny")),
        "--watch",
        environment={"TRANSCODER_KEY": machine.tenant_key},
        timeout=240,
    )


def test_a_job_survives_the_death_of_its_agent(machine: Machine, film: Path):
    job, _ = machine.encode(film)
    os.kill(main_pid(AGENT), signal.SIGKILL)
    wait_until(lambda: not encoders(), 5)
    assert machine.completes(job)


def test_a_job_survives_the_death_of_the_control_plane(machine: Machine, film: Path):
    job, encoder = machine.encode(film)
    os.kill(main_pid(CONTROL_PLANE), signal.SIGKILL)
    assert machine.completes(job)
    assert encoder not in encoders()


def test_a_job_survives_the_death_of_its_encode_unit(machine: Machine, film: Path):
    job, encoder = machine.encode(film)
    run("systemctl", "kill", "--signal", "KILL", unit_of(encoder))
    assert machine.completes(job)


def test_stopping_the_agent_waits_for_the_job(machine: Machine, film: Path):
    job, _ = machine.encode(film)
    run("systemctl", "stop", AGENT)
    try:
        assert encoders() == []
        assert machine.job(job)["status"] == "Complete"
    finally:
        run("systemctl", "start", AGENT)


def test_restarting_the_control_plane_does_not_touch_the_work(machine: Machine, film: Path):
    job, encoder = machine.encode(film)
    run("systemctl", "restart", CONTROL_PLANE)
    assert encoder in encoders()
    assert machine.completes(job)


class TestConfinement:
    """Seen from inside, as the user of the encode unit."""

    @pytest.fixture(scope="class")
    def encoder(self, machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> int:
        film = tmp_path_factory.mktemp("long") / "long.mp4"
        run("ffmpeg", "-v", "error", "-stream_loop", "20", "-i", str(clip("bunny")), "-c", "copy", str(film))
        _, encoder = machine.encode(film)
        return encoder

    def test_it_runs_in_a_unit_of_its_own(self, encoder: int):
        unit = unit_of(encoder)
        assert unit.startswith("transcoder-encode@")
        shown = run("systemctl", "show", "--property", "MemoryMax,TasksMax", unit)
        assert set(shown.split()) == {"MemoryMax=4294967296", "TasksMax=512"}

    def test_it_is_neither_root_nor_the_agent(self, encoder: int):
        assert os.stat(f"/proc/{encoder}").st_uid not in (0, os.stat(f"/proc/{main_pid(AGENT)}").st_uid)

    def test_it_has_no_capabilities_and_filtered_system_calls(self, encoder: int):
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{encoder}/status").read_text().splitlines())
        assert (status["CapEff"], status["CapBnd"]) == ("0" * 16, "0" * 16)
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

    def test_it_has_no_network_but_a_dead_loopback(self, encoder: int):
        interfaces = inside(encoder, "cat", "/proc/net/dev").splitlines()[2:]
        assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]

    def test_it_sees_programs_and_its_workspace_only(self, encoder: int):
        assert set(inside(encoder, "ls", "/etc").split()) <= {"alternatives", "ld.so.cache"}
        assert inside(encoder, "ls", "/opt", "/var", "/run").split() == [
            *("/opt:", "edge-transcoder", "/run:", "systemd", "/var:", "tmp")
        ]
        assert len(inside(encoder, "ls", "/workspace").split()) == 1

    def test_it_can_write_into_its_workspace_only(self, encoder: int):
        writable = inside(encoder, "find", "/", "-xdev", "-type", "d", "-writable", "-not", "-path", "/workspace/*")
        assert writable.split() == []
        [workspace] = inside(encoder, "ls", "/workspace").split()
        inside(encoder, "touch", f"/workspace/{workspace}/out/written")

    def test_it_cannot_see_other_processes(self, encoder: int):
        pids = [int(name) for name in inside(encoder, "ls", "/proc").split() if name.isdigit()]
        assert main_pid(AGENT) not in pids
        assert 1 not in pids

    def test_the_job_is_none_the_worse_for_it(self, machine: Machine, encoder: int):
        wait_until(lambda: encoder not in encoders(), 240)
        wait_until(lambda: is_active(AGENT), 5)


@pytest.mark.parametrize(("unit", "most"), [(CONTROL_PLANE, 1.5), (AGENT, 1.5), ("transcoder-encode@00.service", 0.5)])
def test_the_exposure_of_every_unit_is_low(machine: Machine, unit: str, most: float):
    told = run("systemd-analyze", "security", "--no-pager", unit).splitlines()[-1]
    assert float(told.split(":")[1].split()[0]) <= most


@pytest.mark.parametrize("secret", ["/etc/transcoder/node-credential", "/etc/transcoder/secret.key"])
def test_secrets_are_readable_by_root_only(machine: Machine, secret: str):
    status = os.stat(secret)
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)


def test_the_agent_keeps_no_copy_of_its_credential(machine: Machine):
    assert not Path("/var/lib/transcoder/agent/node-credential").exists()


def unit_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("/")[2]


def inside(pid: int, *argv: str) -> str:
    """Run a program where another one runs: its files, its network, its user."""
    owner = os.stat(f"/proc/{pid}")
    as_user = ("setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups", "--")
    return run("nsenter", "--target", str(pid), "--mount", "--net", f"--root=/proc/{pid}/root", *as_user, *argv)
