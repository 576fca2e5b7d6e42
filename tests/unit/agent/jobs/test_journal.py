"""What a start after a crash knows, and whom it kills."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from agent.jobs.journal import Entry, Journal, interruption, is_workspace, kill_strangers
from shared.ids import JobId
from shared.statuses import Phase
from tests.unit.agent.builders import a_ref

WORK = Path("/var/lib/transcoder/agent/work")


def an_entry() -> Entry:
    return Entry(ref=a_ref(), job_id=JobId("j"), since_ms=1)


async def test_an_entry_is_there_until_it_is_closed(tmp_path: Path) -> None:
    await Journal(tmp_path).note(an_entry())
    assert Journal(tmp_path).entries() == [an_entry()]
    await Journal(tmp_path).close(a_ref())
    assert Journal(tmp_path).entries() == []


async def test_an_entry_that_cannot_be_read_is_no_entry_and_is_cleared_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "tk_1.1.json").write_text("{")
    assert Journal(tmp_path).entries() == []
    Journal(tmp_path).clear()
    assert list(tmp_path.iterdir()) == []


async def test_an_entry_is_noted_again_in_every_phase(tmp_path: Path) -> None:
    for phase in (Phase.FETCHING, Phase.PROBING, Phase.UPLOADING):
        await Journal(tmp_path).note(an_entry().model_copy(update={"phase": phase}))
        assert [entry.phase for entry in Journal(tmp_path).entries()] == [phase]


@pytest.mark.parametrize(("machine", "by"), [("m1", "kill"), ("m2", "reboot")])
def test_a_kill_is_told_from_a_start_of_the_machine(machine: str, by: str) -> None:
    entry = an_entry().model_copy(update={"machine": "m1", "phase": Phase.ENCODING})
    told = interruption(entry, machine=machine)
    assert (told.ref, told.by, told.phase) == (entry.ref, by, Phase.ENCODING)


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Path:
    """A stand-in that is called ffmpeg and only waits."""
    return Path(shutil.copy("/bin/sleep", tmp_path / "ffmpeg"))


def test_an_encoder_in_a_workspace_is_killed_and_others_are_left_alone(tmp_path: Path, ffmpeg: Path) -> None:
    inside, outside = tmp_path / "work" / "tk_1.1", tmp_path / "elsewhere"
    inside.mkdir(parents=True)
    outside.mkdir()
    stranger = subprocess.Popen([ffmpeg, "60"], cwd=inside)
    neighbour = subprocess.Popen([ffmpeg, "60"], cwd=outside)
    bystander = subprocess.Popen(["/bin/sleep", "60"], cwd=inside)
    try:
        assert kill_strangers(tmp_path / "work") == [stranger.pid]
        assert stranger.wait(5) == -9
        assert neighbour.poll() is None
        assert bystander.poll() is None
    finally:
        for process in (stranger, neighbour, bystander):
            process.kill()
            process.wait()


def test_an_agent_never_kills_itself(tmp_path: Path) -> None:
    assert os.getpid() not in kill_strangers(tmp_path)


@pytest.mark.parametrize(
    ("source", "is_ours"),
    [
        ("/var/lib/transcoder/agent/work/tk_1.1", True),
        ("/var/lib/transcoder/agent/work/tk_1.1/out", True),
        ("/transcoder/agent/work/tk_1.1", True),  # /var/lib is a file system of its own
        ("/agent/work/tk_1.1//deleted", True),
        ("/usr", False),
        ("/", False),
        ("/lib/modules/6.1", False),
        ("/home/somebody/work.d/tk_1.1", False),
    ],
)
def test_a_mounted_workspace_is_known_by_where_it_lies(source: str, is_ours: bool) -> None:
    assert is_workspace(PurePosixPath(source), WORK) is is_ours
