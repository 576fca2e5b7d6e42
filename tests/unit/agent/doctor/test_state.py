"""The agent's own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.doctor import Verdict
from agent.doctor.state import check
from agent.doctor.subject import User
from tests.unit.agent.doctor.subjects import a_subject, only


async def test_a_state_that_is_the_agents_alone_is_good_and_left_as_it_was(tmp_path: Path) -> None:
    subject = a_subject(tmp_path)
    (tmp_path / "state" / "node-credential").touch(mode=0o600)
    only(await check(subject), Verdict.GOOD)
    assert sorted(os.listdir(tmp_path / "state")) == ["node-credential", "work"]


async def test_a_state_that_is_not_there_fails(tmp_path: Path) -> None:
    subject = a_subject(tmp_path)
    (tmp_path / "state" / "work").rmdir()
    (tmp_path / "state").rmdir()
    only(await check(subject), Verdict.FAILURE, "does not exist")


@pytest.mark.parametrize(("name", "mode"), [("", 0o755), ("", 0o770), ("work", 0o701), ("node-credential", 0o640)])
async def test_what_others_can_open_fails_and_the_fix_closes_it(tmp_path: Path, name: str, mode: int) -> None:
    subject = a_subject(tmp_path)
    (tmp_path / "state" / "node-credential").touch(mode=0o600)
    (tmp_path / "state" / name).chmod(mode)
    found = only(await check(subject), Verdict.FAILURE, "can be opened by others", str(tmp_path / "state" / name))
    command, wanted, path = found.fix.split()
    assert command == "chmod"
    Path(path).chmod(int(wanted, 8))
    only(await check(subject), Verdict.GOOD)


async def test_what_belongs_to_somebody_else_fails(tmp_path: Path) -> None:
    found = await check(a_subject(tmp_path, user=User(uid=os.geteuid() + 1, groups=frozenset())))
    assert {finding.verdict for finding in found} == {Verdict.FAILURE}
    assert "belongs to another user" in found[0].said


async def test_a_disk_that_takes_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Path, content: bytes) -> None:
        raise OSError(30, "Read-only file system")

    subject = a_subject(tmp_path)
    monkeypatch.setattr("agent.doctor.state.write_durably", read_only)
    only(await check(subject), Verdict.FAILURE, "Read-only file system")
