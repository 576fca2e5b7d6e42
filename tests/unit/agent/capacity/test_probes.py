"""What a node says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.capacity import PROBES, Surroundings, cgroup, cpu, nvenc, probe_all, space
from agent.capacity.ffmpeg import USED, NoFfmpeg, encoders_in, version_in
from agent.capacity.scratch import usual_reserve
from agent.media.encoders import AUDIO_ENCODERS, VIDEO_ENCODERS, Device
from agent.sandbox.none import Unconfined
from agent.settings import load
from tests.unit.agent.capacity.stand_ins import ENCODERS, VERSION, StandInSandbox


def surroundings(work: Path, sandbox: StandInSandbox, **settings: object) -> Surroundings:
    return Surroundings(load(None, state=work, **settings), sandbox, work)


async def test_together_the_probes_tell_everything(tmp_path: Path) -> None:
    facts = await probe_all(surroundings(tmp_path, StandInSandbox(), labels={"site": "roof"}))
    assert facts.ffmpeg_version == "5.1.9-0+deb12u1"
    assert facts.encoders == ("aac", "libx264")
    assert facts.confinement == "stand-in"
    assert facts.labels == {"site": "roof"}
    assert facts.capacity.cpu_threads >= 1
    assert facts.capacity.memory > 0


async def test_what_the_owner_does_not_offer_is_not_there(tmp_path: Path) -> None:
    around = surroundings(tmp_path, StandInSandbox(), max_cpu_threads=1, max_memory=1 << 30, scratch_reserve=1 << 62)
    capacity = (await probe_all(around)).capacity
    assert (capacity.cpu_threads, capacity.memory, capacity.scratch) == (1, 1 << 30, 0)


async def test_the_ffmpeg_of_this_machine_is_known(tmp_path: Path) -> None:
    facts = await probe_all(Surroundings(load(None, state=tmp_path), Unconfined(), tmp_path))
    assert facts.ffmpeg_version[0].isdigit()
    assert set(facts.encoders) == USED


async def test_an_ffmpeg_that_does_not_run_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NoFfmpeg, match=r"libavcodec\.so"):
        await probe_all(surroundings(tmp_path, StandInSandbox(is_broken=True)))


def test_every_software_encoder_that_plans_use_is_looked_for() -> None:
    planned = {encoder.name for (device, _), encoder in VIDEO_ENCODERS.items() if device is Device.CPU}
    assert planned | {encoder.name for encoder in AUDIO_ENCODERS.values()} <= USED


def test_every_hardware_encoder_that_plans_use_is_tried() -> None:
    planned = {encoder.name for (device, _), encoder in VIDEO_ENCODERS.items() if device is Device.NVENC}
    assert planned <= set(nvenc.CODECS)


def test_the_version_and_the_encoders_are_read_from_what_ffmpeg_prints() -> None:
    assert version_in(VERSION.decode()) == "5.1.9-0+deb12u1"
    assert version_in("") == "unknown"
    assert encoders_in(ENCODERS.decode()) == ("aac", "libx264")


def test_threads_are_bounded_by_whatever_is_narrowest() -> None:
    assert cpu.threads(8, None, None) == 8
    assert cpu.threads(8, 3, None) == 3
    assert cpu.threads(8, 3, 2) == 2
    assert cpu.threads(8, 1, None) == 1


def test_the_reserve_is_never_offered(tmp_path: Path) -> None:
    assert space(tmp_path, 1 << 62).left == 0
    assert space(tmp_path, 0).left > 0


def test_the_usual_reserve_is_a_tenth_of_a_small_disk() -> None:
    assert usual_reserve(1000 << 30) == 5 << 30
    assert usual_reserve(20 << 30) == 2 << 30
    assert usual_reserve(2 << 20) == (2 << 20) // 10


def a_group(root: Path, path: str, **files: str) -> None:
    directory = root / path
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content + "\n")


def test_the_narrowest_of_the_groups_above_counts(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/system.slice/agent.service\n")
    a_group(tmp_path, "system.slice", cpu__max="150000 100000", memory__max="4096")
    a_group(tmp_path, "system.slice/agent.service", cpu__max="max 100000", memory__max="max")
    assert cgroup.cpu_quota(tmp_path, membership) == 2
    assert cgroup.memory_limit(tmp_path, membership) == 4096


def test_the_older_interface_is_understood_too(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("4:memory:/box\n3:cpu,cpuacct:/box\n0::/\n")
    a_group(tmp_path, "cpu,cpuacct/box", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    a_group(tmp_path, "memory/box", memory__limit_in_bytes="8192")
    assert cgroup.cpu_quota(tmp_path, membership) == 3
    assert cgroup.memory_limit(tmp_path, membership) == 8192


def test_a_machine_without_groups_has_no_limit(tmp_path: Path) -> None:
    assert cgroup.cpu_quota(tmp_path, tmp_path / "absent") is None
    assert cgroup.memory_limit(tmp_path, tmp_path / "absent") is None


def test_each_probe_is_registered_once() -> None:
    assert len(set(PROBES)) == len(PROBES)
