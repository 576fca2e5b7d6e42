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
    call,
    encoders,
    is_active,
    main_pid,
    run,
    unit_of,
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


def test_programs_that_feed_each_other_share_a_unit(machine: Machine, tmp_path: Path):
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=25:d=0.2", str(tmp_path / "tiny.mp4"))
    first = machine.submit(tmp_path / "tiny.mp4")
    assert machine.completes(first)
    told = machine.job(first)
    key, pipeline = told["inputs"][0]["key"], told["pipeline_id"]
    output = {"key": "many.mp4", "settings": {"container": "mp4", "video": {"codec": "h264"}}}
    many = {"pipeline_id": pipeline, "client_request_token": "many", "inputs": [{"key": key}] * 65, "outputs": [output]}
    job = call(machine.tenant_key, "/v1/jobs", many)["id"]
    assert machine.completes(job)
    assert machine.job(job)["outputs"][0]["duration"] == 13.0


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
        assert machine.completes(job, within=5)
        wait_until(lambda: not is_active("transcoder-encode@*"), 5)
    finally:
        run("systemctl", "start", AGENT)


def test_restarting_the_control_plane_does_not_touch_the_work(machine: Machine, film: Path):
    job, encoder = machine.encode(film)
    run("systemctl", "restart", CONTROL_PLANE)
    assert encoder in encoders()
    assert machine.completes(job)


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
