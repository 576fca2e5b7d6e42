"""What the control plane said, or did not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.doctor import Heard, Verdict
from agent.doctor.control_plane import check
from agent.identity import Identity
from agent.refusals import ProtocolTooOld, Revoked, Unreachable
from shared.ids import ClusterId, NodeId
from shared.protocol import CheckAnswer
from shared.statuses import NodeState
from tests.unit.agent.doctor.subjects import a_subject, only

IDENTITY = Identity(url="https://cp/", node_id=NodeId("nd_1"), cluster_id=ClusterId("paris-1"))


def an_answer(state: NodeState = NodeState.ACTIVE) -> CheckAnswer:
    return CheckAnswer(
        server_time_ms=0,
        node_id=NodeId("nd_1"),
        cluster_id=ClusterId("paris-1"),
        state=state,
        running=0,
        link="/objects/x/nd_1",
        link_size=1000,
    )


async def test_a_control_plane_that_knows_the_node_is_good(tmp_path: Path) -> None:
    subject = a_subject(tmp_path, identity=IDENTITY, heard=Heard(an_answer()))
    only(await check(subject), Verdict.GOOD, "https://cp/ knows this node as nd_1 in paris-1")


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (Unreachable("Cannot connect to host cp:443"), "gives no answer: Cannot connect to host cp:443"),
        (Revoked("unknown"), "refuses this node's credential"),
        (ProtocolTooOld("It speaks 2."), "speaks a newer protocol"),
    ],
)
async def test_whatever_keeps_them_apart_fails(tmp_path: Path, problem: Exception, said: str) -> None:
    subject = a_subject(tmp_path, identity=IDENTITY, heard=Heard(None, problem))
    only(await check(subject), Verdict.FAILURE, said)


async def test_a_machine_that_never_joined_fails(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path)), Verdict.FAILURE, "has not joined")


async def test_who_may_not_read_the_credential_is_told(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path, identity=IDENTITY)), Verdict.WARNING, "cannot be read")


@pytest.mark.parametrize("state", [NodeState.DRAINING, NodeState.DRAINED])
async def test_a_node_that_gets_no_work_because_somebody_said_so_is_told(tmp_path: Path, state: NodeState) -> None:
    subject = a_subject(tmp_path, identity=IDENTITY, heard=Heard(an_answer(state)))
    assert only(await check(subject), Verdict.WARNING, "gets no work").fix == "transcoder agent resume"
