"""One child and everything it starts: drained, stopped in stages, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.feeders import Feeder
from agent.process import STDERR_TAIL, EndedBy, Exit, Ladder, OnStdout, StopRequest, run
from agent.vigil import Patience, Stage, Vigil
from tests.builders import eventually

QUICK = Ladder(quit=0.15, interrupt=0.15)


class Child:
    """Runs a Python script as the child and tells when it has said something."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stop = StopRequest()
        self.said = bytearray()
        self.spoke = asyncio.Event()

    def hear(self, chunk: bytes) -> None:
        self.said += chunk
        self.spoke.set()

    async def run(
        self,
        script: str,
        *,
        wall_time: float | None = None,
        on_stdout: OnStdout | None = None,
        vigil: Vigil | None = None,
        feeders: Sequence[tuple[str, str]] = (),
    ) -> Exit:
        return await run(
            python(script),
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin"},
            on_stdout=on_stdout or self.hear,
            stop=self.stop,
            wall_time=wall_time,
            vigil=vigil,
            feeders=[Feeder(python(feeder), self.directory / pipe) for pipe, feeder in feeders],
            ladder=QUICK,
        )

    async def run_until_stopped(self, script: str) -> Exit:
        """Asked to stop when it has said something."""
        running = asyncio.create_task(self.run(script))
        await self.spoke.wait()
        self.stop.ask()
        return await running

    def pids_said(self) -> list[int]:
        return [int(word) for word in self.said.split()]


def python(script: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-u", "-c", script]


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child(tmp_path)


def is_alive(pid: int) -> bool:
    """Zombies, which wait for whoever adopted them, have ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_the_exit_code_and_both_outputs_are_told(child: Child):
    ended = await child.run("import sys; print('heard'); print('seen', file=sys.stderr); sys.exit(3)")
    assert (ended.code, ended.signal, ended.stderr, ended.ended_by) == (3, None, b"seen\n", EndedBy.ITSELF)
    assert bytes(child.said) == b"heard\n"
    assert not ended.is_success


async def test_a_death_by_signal_is_told_as_the_signal(child: Child):
    ended = await child.run("import os; os.kill(os.getpid(), 11)")
    assert (ended.code, ended.signal, ended.returncode) == (None, 11, -11)


async def test_the_child_works_in_its_directory_with_only_the_environment_it_was_given(child: Child):
    await child.run("import os; print(os.getcwd(), sorted(os.environ.keys() - {'LC_CTYPE'}))")
    assert child.said.decode() == f"{child.directory} ['PATH']\n"


async def test_a_flood_on_both_pipes_is_drained_and_only_the_tail_of_stderr_kept(child: Child):
    ended = await child.run(
        "import sys\n"
        "for _ in range(200): sys.stderr.write('e' * 10_000); sys.stdout.write('o' * 10_000)\n"
        "sys.stderr.write('the end')"
    )
    assert len(child.said) == 2_000_000
    assert len(ended.stderr) == STDERR_TAIL
    assert ended.stderr.endswith(b"ethe end")


async def test_a_child_that_reads_q_ends_by_itself_when_stopped(child: Child):
    ended = await child.run_until_stopped("print('up'); import sys; sys.exit(40 + (sys.stdin.read(1) == 'q'))")
    assert ended == Exit(code=41, ended_by=EndedBy.STOP)


async def test_a_child_that_ignores_q_is_interrupted(child: Child):
    ended = await child.run_until_stopped(
        "import signal, sys, time\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(7))\nprint('up'); time.sleep(60)"
    )
    assert ended.code == 7


async def test_the_interrupt_reaches_the_worker_and_not_its_wrapper(child: Child):
    ended = await child.run_until_stopped(
        "import subprocess, sys\n"
        "worker = 'import signal, sys, time; signal.signal(2, lambda *_: sys.exit(7)); print(1); time.sleep(60)'\n"
        "argv = [sys.executable, '-I', '-S', '-u', '-c', worker]\n"
        "sys.exit(subprocess.run(argv, start_new_session=True).returncode)"
    )
    assert ended.code == 7


async def test_a_child_that_ignores_everything_is_killed_with_all_it_started(child: Child):
    ended = await child.run_until_stopped(
        "import os, signal, subprocess, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "other = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "print(os.getpid(), other.pid); time.sleep(60)"
    )
    assert (ended.signal, ended.ended_by) == (signal.SIGKILL, EndedBy.STOP)
    await eventually(lambda: not any(map(is_alive, child.pids_said())))


async def test_a_child_that_takes_too_long_is_killed_at_once(child: Child):
    ended = await child.run("import time; time.sleep(60)", wall_time=0.1)
    assert (ended.signal, ended.ended_by) == (signal.SIGKILL, EndedBy.TIME_LIMIT)


async def test_a_stop_that_was_asked_before_the_start_holds(child: Child):
    child.stop.ask()
    assert (await child.run("import time; time.sleep(60)")).ended_by is EndedBy.STOP


async def test_nothing_is_left_when_the_caller_is_cancelled(child: Child):
    running = asyncio.create_task(
        child.run(
            "import os, subprocess, time\n"
            "other = subprocess.Popen(['sleep', '60'])\n"
            "print(os.getpid(), other.pid); time.sleep(60)"
        )
    )
    await child.spoke.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: not any(map(is_alive, child.pids_said())))


async def test_what_a_child_leaves_behind_is_killed_and_does_not_delay_the_result(child: Child):
    ended = await child.run(
        "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)",
    )
    assert ended.is_success
    await eventually(lambda: not any(map(is_alive, child.pids_said())))


async def test_an_error_of_the_listener_ends_the_child_and_is_raised(child: Child):
    def refuse(chunk: bytes) -> None:
        child.hear(chunk)
        raise ValueError("not what I expected")

    with pytest.raises(ValueError, match="not what I expected"):
        await child.run("import os, time; print(os.getpid()); time.sleep(60)", on_stdout=refuse)
    await eventually(lambda: not any(map(is_alive, child.pids_said())))


async def test_no_descriptor_stays_open(child: Child):
    await child.run("pass")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await child.run("pass")
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_child_dies_with_its_parent_however_that_dies(tmp_path: Path):
    parent = subprocess.Popen(
        [sys.executable, "-u", "-c", ORPHANING],
        stdout=subprocess.PIPE,
        cwd=Path.cwd(),
        env=os.environ | {"PYTHONPATH": "."},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    asyncio.run(eventually(lambda: not is_alive(pid)))


ORPHANING = """
import asyncio, pathlib, sys
from agent.process import StopRequest, run
from agent.vigil import Patience, Stage, Vigil

async def main():
    await run(["sh", "-c", "echo $$; exec sleep 60"], cwd=pathlib.Path("/"), env={"PATH": "/usr/bin:/bin"},
              on_stdout=lambda chunk: print(chunk.decode(), end=""), stop=StopRequest())

asyncio.run(main())
"""


def impatient(seconds: float) -> Vigil:
    return Vigil(Patience(starting=seconds, working=seconds, finishing=seconds))


async def test_a_child_that_stands_still_is_killed_and_said_to_have_stalled(child: Child):
    ended = await child.run("import time; time.sleep(60)", vigil=impatient(0.3))
    assert (ended.signal, ended.ended_by) == (signal.SIGKILL, EndedBy.STALL)


async def test_a_stopped_child_stands_still_too(child: Child):
    running = asyncio.create_task(child.run("import os\nprint(os.getpid())\nwhile True: pass", vigil=impatient(0.5)))
    await child.spoke.wait()
    os.kill(child.pids_said()[0], signal.SIGSTOP)
    assert (await running).ended_by is EndedBy.STALL


async def test_a_child_that_uses_the_processor_is_slow_not_stuck(child: Child):
    ended = await child.run(
        "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass", vigil=impatient(0.2)
    )
    assert (ended.code, ended.ended_by) == (0, EndedBy.ITSELF)


async def test_the_processor_time_of_grandchildren_counts(child: Child):
    work = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    ended = await child.run(
        f"import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', {work!r}])", vigil=impatient(0.2)
    )
    assert (ended.code, ended.ended_by) == (0, EndedBy.ITSELF)


async def test_a_child_that_gets_on_without_using_the_processor_is_not_stuck(child: Child):
    vigil = impatient(0.4)
    ended = await child.run(
        "import time\nfor _ in range(12): time.sleep(0.1); print('on')",
        vigil=vigil,
        on_stdout=lambda _: vigil.step(Stage.WORKING),
    )
    assert (ended.code, ended.ended_by) == (0, EndedBy.ITSELF)


def with_pipes(child: Child, *names: str) -> None:
    for name in names:
        os.mkfifo(child.directory / name)


WAITING = "import os, time; open('feeder', 'w').write(str(os.getpid())); kept = open('one', 'w'); open('up', 'w'); time.sleep(60)"
"""A feeder that has nothing to say."""
UNTIL_UP = "import os, sys, time\nkept = open('one')\nwhile not os.path.exists('up'): time.sleep(0.001)\n"


async def test_feeders_run_beside_the_child_one_after_the_other(child: Child):
    with_pipes(child, "one", "two")
    ended = await child.run(
        "import os; print(open('one').read() + (open('two').read() if os.path.exists('ended') else 'no'))",
        feeders=[
            ("one", "print('unheard'); open('one', 'w').write('first, '); open('ended', 'w')"),
            ("two", "open('two', 'w').write('second')"),
        ],
    )
    assert ended.is_success
    assert bytes(child.said) == b"first, second\n"


async def test_a_feeder_that_nobody_wants_is_not_started(child: Child):
    with_pipes(child, "one")
    assert (await child.run("", feeders=[("one", "open('started', 'w')")])).is_success
    assert not (child.directory / "started").exists()


async def test_a_feeder_that_fails_is_told_of_and_ends_the_child_before_it_takes_that_for_the_end(child: Child):
    with_pipes(child, "one", "two")
    failing = "import sys; open('one', 'w').write('half'); print('broken input', file=sys.stderr); sys.exit(5)"
    ended = await child.run(
        "open('one').read(); open('taken for whole', 'w')",
        feeders=[("one", failing), ("two", "open('started', 'w')")],
    )
    assert (ended.code, ended.stderr, ended.ended_by) == (5, b"broken input\n", EndedBy.ITSELF)
    assert {path.name for path in child.directory.iterdir()} == {"one", "two"}


async def test_a_child_that_needs_no_more_is_well_and_its_feeder_ends_with_it(child: Child):
    with_pipes(child, "one")
    endless = (
        "import os; open('feeder', 'w').write(str(os.getpid()))\npipe = open('one', 'w')\nwhile True: pipe.write('x')"
    )
    ended = await child.run("print(open('one').read(3)); raise SystemExit(0)", feeders=[("one", endless)])
    assert ended.is_success
    assert bytes(child.said) == b"xxx\n"
    assert not is_alive(int((child.directory / "feeder").read_text()))


async def test_feeders_end_with_a_child_that_fails(child: Child):
    with_pipes(child, "one")
    ended = await child.run(UNTIL_UP + "sys.exit(9)", feeders=[("one", WAITING)])
    assert ended.code == 9
    assert not is_alive(int((child.directory / "feeder").read_text()))


async def test_feeders_end_with_a_child_that_is_stopped(child: Child):
    with_pipes(child, "one")
    running = asyncio.create_task(child.run(UNTIL_UP + "print('up'); sys.stdin.read(1)", feeders=[("one", WAITING)]))
    await child.spoke.wait()
    child.stop.ask()
    assert (await running).ended_by is EndedBy.STOP
    assert not is_alive(int((child.directory / "feeder").read_text()))


async def test_feeders_end_with_the_caller(child: Child):
    with_pipes(child, "one")
    running = asyncio.create_task(child.run(UNTIL_UP + "print('up'); time.sleep(60)", feeders=[("one", WAITING)]))
    await child.spoke.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_alive(int((child.directory / "feeder").read_text()))
