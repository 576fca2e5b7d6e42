"""Runs in encode units, with this test in the place of systemd: it listens, and starts a launcher for every run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.feeders import Feeder
from agent.process import EndedBy
from agent.sandbox import launcher
from agent.sandbox.port import ConfinementError, Limits
from agent.sandbox.units import Units
from agent.vigil import Patience, Vigil
from tests.builders import eventually
from tests.unit.agent.sandbox.running import QUICK, Run, eater, endless, feeder, is_running

LAUNCH = """
import socket, sys
sys.path.insert(0, sys.argv[1])
import launcher
launcher.main(socket.socket(fileno=int(sys.argv[2])), sys.argv[3])
"""


class Unit:
    """Stands in for one `transcoder-encode@N`."""

    def __init__(self, address: Path, directory: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(address))
        self.listener.listen()
        self.directory = directory
        self.running: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._is_stopped:
            listener = self.listener.fileno()
            self.running = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-c", LAUNCH),
                    *(str(Path(launcher.__file__).parent), str(listener), str(self.directory)),
                ],
                pass_fds=[listener],
            )
            self.running.wait()

    def stop(self) -> None:
        self._is_stopped = True
        while self._thread.is_alive():
            if self.running is not None:
                self.running.kill()
            self._thread.join(0.01)
        self.listener.close()


class Machine:
    """A machine with encode units."""

    def __init__(self, root: Path, *slots: str) -> None:
        self.sockets, self.slots, self.workspaces = root / "sockets", root / "slots", root / "work"
        for directory in (self.sockets, self.workspaces, *(self.slots / slot for slot in slots)):
            directory.mkdir(parents=True)
        self.units = [Unit(self.sockets / f"{slot}.sock", self.slots / slot) for slot in slots]
        self.sandbox = Units(workspaces=self.workspaces, sockets=self.sockets, slots=self.slots, ladder=QUICK)

    def workspace(self, name: str = "attempt") -> Path:
        (self.workspaces / name).mkdir(mode=0o700)
        return self.workspaces / name


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, "00")
    yield machine
    for unit in machine.units:
        unit.stop()


def order(*argv: str, workspace: str = "attempt") -> bytes:
    limits = {"file_size": 1 << 20, "memory": 1 << 32}
    return json.dumps({"argv": argv, "workspace": workspace, "limits": limits}).encode()


async def test_it_works_with_units_that_answer(machine: Machine):
    assert await machine.sandbox.check() is None


async def test_one_unit_serves_one_run_after_the_other(machine: Machine):
    for _ in range(3):
        run = Run(
            machine.sandbox, machine.workspaces / "attempt" if _ else machine.workspace(), ["ffprobe", "-version"]
        )
        assert (await run.ended()).is_success
        assert run.stdout.startswith(b"ffprobe version")


async def test_the_exit_code_and_stderr_are_told(machine: Machine):
    ended = await Run(machine.sandbox, machine.workspace(), ["ffprobe", "missing.mp4"]).ended()
    assert (ended.code, ended.ended_by) == (1, EndedBy.ITSELF)
    assert b"missing.mp4: No such file or directory" in ended.stderr


async def test_the_workspace_is_in_the_slot_during_the_run_and_valid_under_its_old_path(machine: Machine):
    workspace = machine.workspace()
    run = Run(machine.sandbox, workspace, endless("out.mkv"))
    await run.spoke()
    assert workspace.readlink() == machine.slots / "00" / "attempt"
    assert (workspace / "out.mkv").exists()
    run.stop.ask()
    await run.ended()
    assert not workspace.is_symlink()
    assert (workspace / "out.mkv").stat().st_size > 0
    assert list((machine.slots / "00").iterdir()) == []


async def test_one_program_feeds_another_in_the_same_unit(machine: Machine):
    workspace = machine.workspace()
    os.mkfifo(workspace / "pipe")
    ended = await Run(
        machine.sandbox, workspace, eater("pipe", "out.nut"), feeders=[feeder(workspace / "pipe")]
    ).ended()
    assert ended.is_success
    assert (workspace / "out.nut").stat().st_size > 5 * 64 * 64


async def test_a_feeder_that_fails_ends_the_run(machine: Machine):
    workspace = machine.workspace()
    os.mkfifo(workspace / "pipe")
    failing = Feeder(["ffprobe", "-v", "error", "missing.mp4"], workspace / "pipe")
    failed = await Run(machine.sandbox, workspace, eater("pipe", "out.nut"), feeders=[failing]).ended()
    assert failed.code == 1
    assert failed.stderr.endswith(b"missing.mp4: No such file or directory\n")


async def test_a_feeder_ends_with_a_run_that_is_stopped(machine: Machine):
    workspace = machine.workspace()
    os.mkfifo(workspace / "endless.nut")
    endless_feeder = feeder(workspace / "endless.nut", seconds=1e6)
    run = Run(machine.sandbox, workspace, eater("endless.nut", "out.nut"), feeders=[endless_feeder])
    await run.spoke()
    assert is_running("d=1000000.0")
    run.stop.ask()
    assert (await run.ended()).ended_by is EndedBy.STOP
    assert not is_running("d=1000000.0")


def test_a_feeder_that_is_no_ffmpeg_is_refused_by_the_unit_itself(machine: Machine):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent, open(os.devnull, "r+b") as nothing:
        machine.workspace().rename(machine.slots / "00" / "attempt")
        agent.connect(str(machine.sockets / "00.sock"))
        socket.send_fds(agent, [order(*endless("out.mkv"))], [nothing.fileno()] * 3)
        assert agent.recv(16) == b"started"
        socket.send_fds(agent, [json.dumps({"beside": ["sh"]}).encode()], [nothing.fileno()] * 3)
        assert agent.recv(16) == b"beside %d" % launcher.REFUSED


def busy(seconds: float) -> list[str]:
    """An encode that uses the processor and has nothing to say for a while."""
    source = f"testsrc2=size=640x360:rate=25:d={seconds}"
    return ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-f", "null", "-"]


async def test_an_encode_that_stands_still_is_killed_and_one_that_works_silently_is_not(machine: Machine):
    patience = Patience(starting=0.4, working=0.4, finishing=0.4)
    workspace = machine.workspace()
    working = await Run(machine.sandbox, workspace, busy(20), vigil=Vigil(patience)).ended()
    assert (working.code, working.ended_by) == (0, EndedBy.ITSELF)
    os.mkfifo(workspace / "silent")
    stuck = await Run(machine.sandbox, workspace, ["ffprobe", "silent"], vigil=Vigil(patience)).ended()
    assert stuck.ended_by is EndedBy.STALL


async def test_ffmpeg_ends_in_order_when_it_is_stopped(machine: Machine):
    run = Run(machine.sandbox, machine.workspace(), endless("out.mkv"))
    await run.spoke()
    run.stop.ask()
    ended = await run.ended()
    assert (ended.code, ended.ended_by) == (0, EndedBy.STOP)


async def test_ffmpeg_that_takes_too_long_is_gone(machine: Machine):
    ended = await Run(machine.sandbox, machine.workspace(), endless("slow.mkv"), Limits(wall_time=0.3)).ended()
    assert (ended.signal, ended.ended_by) == (signal.SIGKILL, EndedBy.TIME_LIMIT)
    assert not is_running("slow.mkv")


async def test_a_file_that_grows_too_big_ends_the_run(machine: Machine):
    fast = [word for word in endless("out.nut") if word != "-re"]
    ended = await Run(machine.sandbox, machine.workspace(), fast, Limits(file_size=1000)).ended()
    assert ended.signal == signal.SIGXFSZ


async def test_a_cancelled_run_leaves_no_ffmpeg_and_gives_the_workspace_back(machine: Machine):
    workspace = machine.workspace()
    run = Run(machine.sandbox, workspace, endless("cancelled.mkv"))
    await run.spoke()
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.ended()
    assert not is_running("cancelled.mkv")
    assert not workspace.is_symlink()


async def test_a_unit_that_dies_in_the_middle_is_the_nodes_fault(machine: Machine):
    run = Run(machine.sandbox, machine.workspace(), endless("dies.mkv"))
    await run.spoke()
    running = machine.units[0].running
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    with pytest.raises(ConfinementError, match="killed"):
        await run.ended()
    for process in Path("/proc").glob("[0-9]*"):  # systemd would kill what is left in the unit's cgroup
        with contextlib.suppress(OSError):
            if b"dies.mkv" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


async def test_a_unit_that_does_not_listen_is_the_nodes_fault(tmp_path: Path):
    machine = Machine(tmp_path)
    (machine.sockets / "00.sock").touch()
    (machine.slots / "00").mkdir(parents=True)
    sandbox = Units(workspaces=machine.workspaces, sockets=machine.sockets, slots=machine.slots)
    assert "does not answer" in (await sandbox.check() or "")


async def test_without_units_it_says_so(tmp_path: Path):
    assert await Units(workspaces=tmp_path, sockets=tmp_path).check() == "there is no encode unit"


async def test_two_runs_in_one_workspace_take_turns_and_in_two_workspaces_do_not(tmp_path: Path):
    machine = Machine(tmp_path, "00", "01")
    try:
        one, other = machine.workspace("one"), machine.workspace("other")
        first = Run(machine.sandbox, one, endless("first.mkv"))
        second = Run(machine.sandbox, one, endless("second.mkv"))
        beside = Run(machine.sandbox, other, endless("beside.mkv"))
        await asyncio.gather(first.spoke(), beside.spoke())
        assert not second.has_spoken.is_set()
        first.stop.ask()
        await asyncio.gather(first.ended(), second.spoke())
        for run in (second, beside):
            run.stop.ask()
            assert (await run.ended()).is_success
    finally:
        for unit in machine.units:
            unit.stop()


async def test_what_a_killed_agent_left_in_the_slots_is_removed_before_the_first_run(machine: Machine):
    left = machine.slots / "00" / "attempt"
    left.mkdir()
    (left / "out.mkv").touch()
    (machine.workspaces / "attempt").symlink_to(left)
    assert await machine.sandbox.check() is None
    assert list(machine.workspaces.iterdir()) == list((machine.slots / "00").iterdir()) == []


async def test_who_is_not_alone_with_the_units_clears_nothing_away(machine: Machine):
    running = machine.slots / "00" / "attempt"
    running.mkdir(parents=True)
    (machine.workspaces / "attempt").symlink_to(running)
    beside = Units(
        workspaces=machine.workspaces, sockets=machine.sockets, slots=machine.slots, ladder=QUICK, is_alone=False
    )
    assert await beside.check() is None
    assert running.is_dir()
    assert (machine.workspaces / "attempt").is_symlink()


async def test_links_that_a_run_left_are_removed(machine: Machine):
    workspace = machine.workspace()
    (workspace / "link").symlink_to("/etc/passwd")
    await Run(machine.sandbox, workspace, ["ffprobe", "-version"]).ended()
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize(
    "refused",
    [order("sh"), order("/usr/bin/ffmpeg"), order("ffmpeg", workspace=".."), order("ffmpeg", workspace="a/b"), b"{}"],
)
def test_the_launcher_itself_refuses_what_is_no_order(machine: Machine, refused: bytes):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent:
        agent.connect(str(machine.sockets / "00.sock"))
        socket.send_fds(agent, [refused], [0, 1, 2])
        assert agent.recv(16) == b"%d" % launcher.REFUSED


def test_ffmpeg_dies_with_the_agent(machine: Machine):
    machine.workspace().rename(machine.slots / "00" / "attempt")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent, open(os.devnull, "r+b") as nothing:
        agent.connect(str(machine.sockets / "00.sock"))
        socket.send_fds(agent, [order(*endless("orphan.mkv"))], [nothing.fileno()] * 3)
        assert agent.recv(16) == b"started"
        asyncio.run(eventually(lambda: is_running("orphan.mkv")))
    asyncio.run(eventually(lambda: not is_running("orphan.mkv")))
