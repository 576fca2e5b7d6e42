"""What a program in bubblewrap can see and do: its workspace, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent import process
from agent.process import EndedBy, Exit, StopRequest
from agent.sandbox.bubblewrap import ISOLATIONS, Bubblewrap, as_inside, command
from agent.sandbox.port import ENVIRONMENT, ConfinementError, Limits
from tests.builders import eventually
from tests.unit.agent.sandbox.running import QUICK, Run, eater, endless, feeder, is_running

Inside = Callable[[str], Awaitable[tuple[Exit, str]]]


@pytest.fixture
async def sandbox() -> Bubblewrap:
    bubblewrap = Bubblewrap(ladder=QUICK)
    assert await bubblewrap.check() is None
    return bubblewrap


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


@pytest.fixture
def inside(sandbox: Bubblewrap, workspace: Path) -> Inside:
    """Runs a shell script where otherwise ffmpeg runs."""

    async def run(script: str) -> tuple[Exit, str]:
        heard = bytearray()
        ended = await process.run(
            command(["sh", "-c", script], workspace, Limits(), isolation=sandbox._isolation),
            cwd=workspace,
            env=ENVIRONMENT,
            on_stdout=heard.extend,
            stop=StopRequest(),
        )
        return ended, heard.decode()

    return run


async def test_only_programs_devices_and_the_workspace_are_there(inside: Inside):
    _, seen = await inside("ls /; ls /etc")
    assert set(seen.split()) <= {
        "bin",
        "dev",
        "etc",
        "lib",
        "lib64",
        "proc",
        "usr",
        "workspace",
        "alternatives",
        "ld.so.cache",
    }


async def test_files_of_the_machine_cannot_be_read(inside: Inside, workspace: Path):
    (workspace.parent / "another-tenants").write_text("secret")
    ended, seen = await inside(f"cat /etc/passwd {workspace.parent}/another-tenants ../another-tenants /root/.profile")
    assert (ended.code, seen) == (1, "")


async def test_nothing_but_the_workspace_can_be_written(inside: Inside, workspace: Path):
    _, refused = await inside(
        "for place in / /usr /etc /dev /dev/shm /tmp /var/tmp /workspace; do"
        " touch $place/made 2>/dev/null || echo $place; done"
    )
    assert refused.split() == ["/", "/usr", "/etc", "/dev", "/dev/shm", "/tmp", "/var/tmp"]
    assert (workspace / "made").exists()


async def test_there_is_no_network_but_a_dead_loopback(inside: Inside):
    _, seen = await inside("tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/route | tail -n +2")
    assert seen.split() == ["lo"]


async def test_a_server_of_this_machine_cannot_be_reached(sandbox: Bubblewrap, workspace: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        ended = await Run(sandbox, workspace, ["ffmpeg", "-i", f"tcp://127.0.0.1:{server.getsockname()[1]}"]).ended()
        assert not ended.is_success
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_there_are_no_capabilities_and_none_can_be_gained(inside: Inside):
    _, seen = await inside("grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs)' /proc/self/status | cut -f2")
    assert seen.split() == ["0" * 16, "0" * 16, "0" * 16, "1"]


async def test_other_processes_cannot_be_seen(inside: Inside):
    _, seen = await inside("ls /proc | grep -c '^[0-9]'")
    assert int(seen) < 8


async def test_the_environment_of_the_agent_stays_outside(inside: Inside, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET", "canary")
    _, seen = await inside("env")
    assert "canary" not in seen


async def test_limits_hold_inside(inside: Inside):
    _, seen = await inside("ulimit -f; ulimit -c; nice")
    blocks, core, niceness = seen.split()
    assert (int(blocks) * 512, core, int(niceness) >= 10) == (Limits().file_size, "0", True)


async def test_a_file_that_grows_too_big_ends_the_run(sandbox: Bubblewrap, workspace: Path):
    fast = [word for word in endless("out.nut") if word != "-re"]
    ended = await Run(sandbox, workspace, fast, Limits(file_size=1000)).ended()
    assert (ended.signal, ended.ended_by) == (signal.SIGXFSZ, EndedBy.ITSELF)


async def test_ffmpeg_ends_in_order_when_it_is_stopped(sandbox: Bubblewrap, workspace: Path):
    run = Run(sandbox, workspace, endless("out.mkv"))
    await run.spoke()
    run.stop.ask()
    ended = await run.ended()
    assert (ended.code, ended.ended_by) == (0, EndedBy.STOP)
    assert (workspace / "out.mkv").stat().st_size > 0


async def test_one_program_feeds_another_in_the_same_workspace(sandbox: Bubblewrap, workspace: Path):
    os.mkfifo(workspace / "pipe")
    ended = await Run(sandbox, workspace, eater("pipe", "out.nut"), feeders=[feeder(workspace / "pipe")]).ended()
    assert ended.is_success
    assert (workspace / "out.nut").stat().st_size > 5 * 64 * 64


async def test_ffmpeg_that_takes_too_long_is_gone(sandbox: Bubblewrap, workspace: Path):
    ended = await Run(sandbox, workspace, endless("too-long.mkv"), Limits(wall_time=0.3)).ended()
    assert (ended.signal, ended.ended_by) == (signal.SIGKILL, EndedBy.TIME_LIMIT)
    await eventually(lambda: not is_running("too-long.mkv"))


@pytest.mark.parametrize("argv", [[], ["sh"], ["/usr/bin/ffmpeg"], ["ffplay"]])
async def test_nothing_but_ffmpeg_and_ffprobe_is_run(argv: list[str], workspace: Path):
    with pytest.raises(ConfinementError):
        await Run(Bubblewrap(), workspace, argv).ended()


async def test_links_that_a_run_left_are_removed(sandbox: Bubblewrap, workspace: Path):
    (workspace / "link").symlink_to("/etc/passwd")
    os.mkfifo(workspace / "pipe")
    (workspace / "file").touch()
    await Run(sandbox, workspace, ["ffprobe", "-version"]).ended()
    assert [path.name for path in workspace.iterdir()] == ["file"]


async def test_a_sandbox_that_cannot_be_made_is_the_nodes_fault(workspace: Path):
    sandbox = Bubblewrap()
    sandbox._isolation = ("--unshare-all", "--ro-bind", "/does-not-exist", "/does-not-exist")
    with pytest.raises(ConfinementError, match="does-not-exist"):
        await Run(sandbox, workspace, ["ffmpeg", "-version"]).ended()


def test_ffmpeg_dies_with_the_agent(workspace: Path):
    agent = subprocess.Popen(
        [sys.executable, "-c", ENCODING, workspace],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "."},
    )
    assert agent.stdout is not None
    agent.stdout.readline()
    assert is_running("orphan.mkv")
    agent.kill()
    agent.communicate()
    asyncio.run(eventually(lambda: not is_running("orphan.mkv")))


ENCODING = """
import asyncio, pathlib, sys
from agent.process import StopRequest
from agent.sandbox.bubblewrap import Bubblewrap
from agent.sandbox.port import Limits
from tests.unit.agent.sandbox.running import endless

async def main():
    sandbox = Bubblewrap()
    await sandbox.check()
    await sandbox.run(endless("orphan.mkv"), workspace=pathlib.Path(sys.argv[1]), limits=Limits(),
                      on_stdout=lambda _: print("encodes", flush=True), stop=StopRequest())

asyncio.run(main())
"""


def test_the_whole_command_line():
    limits = Limits(file_size=5, memory=7 << 30, processes=9, nice=11)
    built = command(
        ["ffmpeg", "-version"], Path("/w"), limits, isolation=ISOLATIONS[0], gpu_nodes=[Path("/dev/nvidia0")]
    )
    assert " ".join(built) == (
        "bwrap --unshare-all --unshare-user --uid 65534 --gid 65534 --disable-userns --proc /proc"
        " --die-with-parent --new-session --cap-drop ALL --hostname encode"
        " --clearenv --setenv PATH /usr/local/bin:/usr/bin:/bin --setenv LANG C.UTF-8 --setenv HOME /nonexistent"
        " --setenv CUDA_DEVICE_ORDER PCI_BUS_ID --setenv SVT_LOG 1"
        " --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64"
        " --ro-bind-try /etc/alternatives /etc/alternatives --ro-bind-try /etc/ld.so.cache /etc/ld.so.cache"
        " --dev /dev --dev-bind /dev/nvidia0 /dev/nvidia0"
        " --ro-bind-try /sys/bus/pci /sys/bus/pci --ro-bind-try /sys/devices /sys/devices"
        " --bind /w /workspace --chdir /workspace --remount-ro /dev --remount-ro /"
        " -- nice -n 11 prlimit --fsize=5 --data=7516192768 --nproc=9 --core=0 -- ffmpeg -version"
    )


@pytest.mark.parametrize(
    ("code", "told"), [(0, (0, None)), (1, (1, None)), (255, (255, None)), (137, (None, 9)), (139, (None, 11))]
)
def test_a_death_by_signal_inside_is_told_as_one(code: int, told: tuple[int | None, int | None]):
    ended = as_inside(Exit(code=code))
    assert (ended.code, ended.signal) == told
