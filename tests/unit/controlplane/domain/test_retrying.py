"""Whose fault it was, and what follows from it."""

from __future__ import annotations

import pytest

from controlplane.domain.retrying import (
    LONGEST_DELAY_MS,
    NODES_REMEMBERED,
    Ended,
    Retry,
    Rules,
    Tally,
    after_failure,
    after_interruption,
    delay_ms,
    how_it_ended,
)
from shared.failures import Cause, Failure, FailureCode
from shared.ids import NodeId
from shared.protocol import AttemptRef, Interruption
from shared.statuses import Phase
from tests.builders import a_failure

RULES = Rules(node_faults=4)
ONE, TWO = NodeId("nd_one"), NodeId("nd_two")


def a_tally(*, spent: int = 1, allowed: int = 3, faults: int = 0, killed_on: tuple[NodeId, ...] = ()) -> Tally:
    return Tally(allowed=allowed, spent=spent, node_faults=faults, killed_on=killed_on)


def retried(verdict: Retry | Failure) -> Retry:
    assert isinstance(verdict, Retry)
    return verdict


def failed(verdict: Retry | Failure) -> Failure:
    assert isinstance(verdict, Failure)
    return verdict


def test_an_input_s_fault_is_final() -> None:
    failure = a_failure(Cause.INPUT)
    assert after_failure(failure, a_tally(spent=0, allowed=99), ONE, RULES) is failure


def test_a_node_s_fault_is_not_the_job_s_to_pay_for() -> None:
    retry = retried(after_failure(a_failure(Cause.NODE), a_tally(spent=3), ONE, RULES))
    assert (retry.tally.spent, retry.tally.node_faults, retry.tally.failed_on) == (2, 1, (ONE,))
    assert retry.delay_ms == 1_000


def test_a_node_s_fault_that_came_before_the_accept_spends_nothing_either() -> None:
    assert retried(after_failure(a_failure(Cause.NODE), a_tally(spent=0), ONE, RULES)).tally.spent == 0


def test_nodes_faults_come_to_an_end() -> None:
    assert isinstance(after_failure(a_failure(Cause.NODE), a_tally(faults=2), ONE, RULES), Retry)
    failure = Failure(cause=Cause.NODE, code=FailureCode.NODE_FAULT, message="x" * 255)
    ended = failed(after_failure(failure, a_tally(faults=3), ONE, RULES))
    assert ended.code is FailureCode.OUT_OF_ATTEMPTS
    assert ended.message.startswith("4 attempts failed on their nodes")
    assert len(ended.message) == 255


def test_an_unknown_cause_spends_attempts_and_keeps_its_own_reason() -> None:
    failure = a_failure(Cause.UNKNOWN)
    assert retried(after_failure(failure, a_tally(spent=2), ONE, RULES)).tally.spent == 2
    assert after_failure(failure, a_tally(spent=3), ONE, RULES) is failure


def test_each_pause_is_longer_than_the_one_before_up_to_a_minute() -> None:
    assert [delay_ms(failures) for failures in range(1, 7)] == [1_000, 4_000, 16_000, 60_000, 60_000, 60_000]
    assert delay_ms(10**9) == LONGEST_DELAY_MS


def test_the_nodes_that_failed_are_remembered_once_each_and_not_without_end() -> None:
    tally = a_tally(allowed=99)
    for number in range(20):
        for _ in range(2):
            failure = a_failure(Cause.UNKNOWN)
            tally = retried(after_failure(failure, tally, NodeId(f"nd_{number}"), RULES)).tally
    assert tally.failed_on == tuple(f"nd_{number}" for number in range(20 - NODES_REMEMBERED, 20))


def test_silence_spends_an_attempt_and_waits_for_nothing() -> None:
    assert retried(after_interruption(Ended.SILENT, a_tally(spent=2), ONE, RULES)) == Retry(
        0, Tally(allowed=3, spent=2, failed_on=(ONE,))
    )
    assert failed(after_interruption(Ended.SILENT, a_tally(spent=3), ONE, RULES)).code is FailureCode.OUT_OF_ATTEMPTS


@pytest.mark.parametrize("how", [Ended.REBOOTED, Ended.RESTARTED])
def test_what_is_the_machine_s_doing_spends_nothing_and_waits_for_nothing(how: Ended) -> None:
    retry = retried(after_interruption(how, a_tally(spent=3), ONE, RULES))
    assert (retry.delay_ms, retry.tally.spent, retry.tally.node_faults) == (0, 2, 1)
    assert not retry.tally.is_suspect
    assert isinstance(after_interruption(how, a_tally(faults=3), ONE, RULES), Failure)


def test_what_an_operator_takes_away_costs_nothing() -> None:
    retry = retried(after_interruption(Ended.TAKEN_AWAY, a_tally(spent=3), ONE, RULES))
    assert (retry.delay_ms, retry.tally.spent, retry.tally.node_faults) == (0, 2, 0)


def test_work_that_may_have_killed_its_agent_is_suspect() -> None:
    retry = retried(after_interruption(Ended.KILLED, a_tally(spent=1), ONE, RULES))
    assert (retry.tally.spent, retry.tally.killed_on, retry.tally.is_suspect) == (1, (ONE,), True)


def test_work_that_killed_the_agents_of_two_nodes_is_quarantined() -> None:
    ended = failed(after_interruption(Ended.KILLED, a_tally(killed_on=(ONE,)), TWO, RULES))
    assert ended.code is FailureCode.QUARANTINED


def test_work_that_killed_one_node_s_agent_again_and_again_ends_with_its_attempts() -> None:
    assert isinstance(after_interruption(Ended.KILLED, a_tally(spent=2, killed_on=(ONE,)), ONE, RULES), Retry)
    ended = failed(after_interruption(Ended.KILLED, a_tally(spent=3, killed_on=(ONE,)), ONE, RULES))
    assert ended.code is FailureCode.OUT_OF_ATTEMPTS


@pytest.mark.parametrize(
    ("phase", "how"),
    [
        (Phase.FETCHING, Ended.RESTARTED),
        (Phase.PROBING, Ended.KILLED),
        (Phase.ENCODING, Ended.KILLED),
        (Phase.VERIFYING, Ended.KILLED),
        (Phase.UPLOADING, Ended.RESTARTED),
        (Phase.PUBLISHING, Ended.RESTARTED),
    ],
)
def test_only_what_read_the_tenant_s_files_can_have_killed_the_agent(phase: Phase, how: Ended) -> None:
    ref = AttemptRef(task_id="tk", attempt=1, lease_id="lease")
    assert how_it_ended(Interruption(ref=ref, by="kill", phase=phase)) is how
    assert how_it_ended(Interruption(ref=ref, by="reboot", phase=phase)) is Ended.REBOOTED


def test_without_an_entry_in_the_journal_nothing_is_known() -> None:
    assert how_it_ended(None) is Ended.SILENT
