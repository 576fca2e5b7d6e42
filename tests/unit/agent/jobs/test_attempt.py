"""How far an attempt is said to be, and why it ended."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agent.jobs.attempt import SPANS, Attempt, EndReason, percent_of
from agent.jobs.failure import OUTGREW_ITS_ROOM, SCRATCH_FULL
from agent.jobs.runner import blamed, tells_full_scratch, what_to_report
from shared.failures import Cause, Failure, FailureCode
from shared.protocol import Failed, Finished, HandedBack, Stopped
from shared.statuses import JobStatus, Phase
from tests.unit.agent.builders import a_start, failed

FINISHED = Finished(inputs=(), outputs=(), encode_seconds=1.0)


def test_the_phases_follow_each_other_without_a_gap() -> None:
    spans = list(SPANS.values())
    assert all(earlier[1] == later[0] for earlier, later in itertools.pairwise(spans))
    assert spans[-1][1] < 100


@given(st.lists(st.tuples(st.sampled_from(Phase), st.floats(-1, 2))))
def test_what_is_told_never_falls_and_never_says_done(steps: list[tuple[Phase, float]]) -> None:
    attempt = Attempt(a_start())
    told = [0.0]
    for phase, fraction in steps:
        attempt.reach(phase, fraction)
        told.append(attempt.progress.percent)
    assert told == sorted(told)
    assert told[-1] < 100


def test_half_an_encode_is_half_its_span() -> None:
    assert percent_of(Phase.ENCODING, 0.5) == 49.0


def states(attempt: Attempt) -> list[tuple[int, JobStatus]]:
    return [(each.index, each.status) for each in attempt.told.progress.outputs]


def test_outputs_begin_and_end_one_by_one_whatever_phase_is_reached() -> None:
    attempt = Attempt(a_start())
    attempt.begin([2, 0])
    attempt.reach(Phase.ENCODING, 0.5)
    assert states(attempt) == [(0, JobStatus.PROGRESSING), (2, JobStatus.PROGRESSING)]
    attempt.end_output(2)
    attempt.reach(Phase.VERIFYING)
    assert states(attempt) == [(0, JobStatus.PROGRESSING), (2, JobStatus.COMPLETE)]


def test_an_output_that_is_worked_on_again_does_not_begin_again() -> None:
    attempt = Attempt(a_start())
    attempt.begin([0, 1])
    attempt.end_output(0)
    attempt.begin([0, 1])
    assert states(attempt) == [(0, JobStatus.COMPLETE), (1, JobStatus.PROGRESSING)]


def test_an_output_that_failed_says_why_even_when_it_was_never_begun() -> None:
    attempt = Attempt(a_start())
    failure = Failure(cause=Cause.INPUT, code=FailureCode.WATERMARK_UNREADABLE, message="no picture")
    attempt.end_output(1, failure)
    assert states(attempt) == [(1, JobStatus.ERROR)]
    assert attempt.told.progress.outputs[0].failure == failure


def test_the_first_reason_stands() -> None:
    attempt = Attempt(a_start())
    attempt.end(EndReason.STOPPED)
    attempt.end(EndReason.HANDED_BACK, "late")
    assert attempt.ended is EndReason.STOPPED
    assert attempt.stop.is_asked


def test_a_lease_that_is_gone_beats_every_other_reason() -> None:
    attempt = Attempt(a_start())
    attempt.end(EndReason.STOPPED)
    attempt.end(EndReason.DROPPED)
    assert what_to_report(attempt, FINISHED) is None


def test_a_stop_is_reported_even_where_the_work_was_done_in_the_same_moment() -> None:
    attempt = Attempt(a_start())
    attempt.end(EndReason.STOPPED)
    assert what_to_report(attempt, FINISHED) == Stopped()


def test_finished_work_is_not_given_back_but_a_failure_on_the_way_out_is() -> None:
    attempt = Attempt(a_start())
    attempt.end(EndReason.HANDED_BACK, "The node shuts down.")
    assert what_to_report(attempt, FINISHED) == FINISHED
    assert what_to_report(attempt, failed(Cause.NODE)) == HandedBack(reason="The node shuts down.")


def test_what_nobody_ended_is_reported_as_it_is() -> None:
    assert what_to_report(Attempt(a_start()), FINISHED) == FINISHED


def test_a_full_disk_is_the_nodes_fault_unless_the_attempt_took_more_than_was_set_aside() -> None:
    attempt = Attempt(a_start(scratch=1000))
    assert blamed(attempt, 1000) == Failed(failure=SCRATCH_FULL)
    assert blamed(attempt, 1001) == Failed(failure=OUTGREW_ITS_ROOM)
    assert OUTGREW_ITS_ROOM.cause is not Cause.NODE


def test_what_ended_for_want_of_disk_is_told_from_what_ended_otherwise() -> None:
    attempt = Attempt(a_start())
    assert tells_full_scratch(attempt, Failed(failure=SCRATCH_FULL))
    assert not tells_full_scratch(attempt, failed(Cause.NODE))
    assert not tells_full_scratch(attempt, FINISHED)
    attempt.end(EndReason.STORAGE_FULL)
    assert tells_full_scratch(attempt, None)
    assert not tells_full_scratch(attempt, FINISHED)
