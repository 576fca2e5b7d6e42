"""The cards' device nodes. Plain files stand in for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.doctor import Verdict
from agent.doctor.devices import can_open, check
from agent.doctor.subject import User
from agent.installation import GPU_DROP_INS, SERVICE
from tests.unit.agent.doctor.subjects import a_machine, a_subject, only

NODES = ("nvidia0", "nvidiactl", "nvidia-uvm")
STRANGER = User(uid=4242, groups=frozenset({4242}))


def nodes(tmp_path: Path, *names: str, mode: int = 0o666) -> None:
    a_machine(tmp_path)
    for name in names:
        (tmp_path / "dev" / name).touch()
        (tmp_path / "dev" / name).chmod(mode)


async def test_a_machine_without_a_card_says_so(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path)), Verdict.FACT, "no NVIDIA device nodes")


async def test_nodes_that_everybody_may_open_are_good(tmp_path: Path) -> None:
    nodes(tmp_path, *NODES)
    only(await check(a_subject(tmp_path, user=STRANGER)), Verdict.GOOD)


@pytest.mark.parametrize("missing", NODES)
async def test_a_node_that_is_missing_fails_by_name(tmp_path: Path, missing: str) -> None:
    nodes(tmp_path, *(name for name in NODES if name != missing))
    only(await check(a_subject(tmp_path, user=STRANGER)), Verdict.FAILURE, f"/dev/{missing} is missing")


@pytest.mark.parametrize("closed", NODES)
async def test_a_node_that_is_closed_to_the_agents_user_fails(tmp_path: Path, closed: str) -> None:
    nodes(tmp_path, *NODES)
    (tmp_path / "dev" / closed).chmod(0o660)
    only(await check(a_subject(tmp_path, user=STRANGER)), Verdict.FAILURE, f"/dev/{closed} is closed")


async def test_a_service_that_was_installed_before_the_card_fails(tmp_path: Path) -> None:
    nodes(tmp_path, *NODES)
    units = tmp_path / "units"
    (units / SERVICE).touch()
    found = await check(a_subject(tmp_path))
    assert [finding.fix for finding in found] == ["transcoder agent install"] * 2
    for target in GPU_DROP_INS.values():
        (units / target).parent.mkdir()
        (units / target).touch()
    only(await check(a_subject(tmp_path)), Verdict.GOOD)


@pytest.mark.parametrize(
    ("mode", "owner", "group", "opens"),
    [
        (0o666, 0, 0, True),
        (0o660, 0, 0, False),
        (0o660, 0, 44, True),
        (0o640, 0, 44, False),
        (0o600, 7, 0, True),
        (0o066, 7, 0, False),
    ],
)
def test_the_mode_decides_as_in_the_kernel(mode: int, owner: int, group: int, opens: bool) -> None:
    status = os.stat_result((0o020000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert can_open(status, User(uid=7, groups=frozenset({44}))) is opens
