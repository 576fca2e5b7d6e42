"""The tables themselves: whole, without dead ends, and the only place where states are chosen."""

from __future__ import annotations

import pytest

from controlplane.domain.lifecycle import (
    JOB_TRANSITIONS,
    LEASED_TASKS,
    TASK_TRANSITIONS,
    TERMINAL_JOBS,
    TERMINAL_TASKS,
    JobEvent,
    TaskEvent,
    aggregate,
    job_sources,
    output_status,
    task_sources,
)
from shared.statuses import JobStatus as J
from shared.statuses import TaskState as T


def reachable(transitions: dict[tuple[str, str], str], start: set[str]) -> set[str]:
    found = set(start)
    while more := {target for (source, _), target in transitions.items() if source in found} - found:
        found |= more
    return found


def test_every_state_can_be_reached_and_every_one_leads_to_an_end() -> None:
    assert reachable(dict(TASK_TRANSITIONS), {T.HELD}) == set(T)
    assert reachable(dict(JOB_TRANSITIONS), {J.SUBMITTED}) == set(J)
    for state in T:
        assert reachable(dict(TASK_TRANSITIONS), {state}) & TERMINAL_TASKS
    for status in J:
        assert reachable(dict(JOB_TRANSITIONS), {status}) & TERMINAL_JOBS


def test_the_ends_are_those_that_people_know() -> None:
    assert {T.SUCCEEDED, T.FAILED, T.STOPPED} == TERMINAL_TASKS
    assert {J.COMPLETE, J.CANCELED, J.ERROR} == TERMINAL_JOBS
    assert not LEASED_TASKS & TERMINAL_TASKS


@pytest.mark.parametrize("event", TaskEvent)
def test_every_event_of_a_task_comes_from_somewhere(event: TaskEvent) -> None:
    assert task_sources(event)
    assert not task_sources(event) & TERMINAL_TASKS


@pytest.mark.parametrize("event", JobEvent)
def test_every_event_of_a_job_comes_from_somewhere(event: JobEvent) -> None:
    assert job_sources(event)
    assert not job_sources(event) & TERMINAL_JOBS


def test_no_job_goes_back_to_submitted() -> None:
    assert J.SUBMITTED not in JOB_TRANSITIONS.values()


def test_what_runs_cannot_be_cancelled_only_stopped() -> None:
    assert J.PROGRESSING not in job_sources(JobEvent.CANCEL)
    assert task_sources(TaskEvent.CANCEL) == {T.HELD, T.WAITING, T.LEASED}


@pytest.mark.parametrize(
    ("outputs", "job"),
    [([J.COMPLETE], J.COMPLETE), ([J.COMPLETE, J.ERROR], J.ERROR), ([J.ERROR], J.ERROR)],
)
def test_one_failed_output_fails_the_job(outputs: list[J], job: J) -> None:
    assert aggregate(outputs) is job


@pytest.mark.parametrize(
    ("index", "told", "status"),
    [
        (0, None, J.PROGRESSING),
        (1, None, J.SUBMITTED),
        (1, J.PROGRESSING, J.PROGRESSING),
        (0, J.COMPLETE, J.COMPLETE),
        (2, J.ERROR, J.ERROR),
    ],
)
def test_the_first_output_begins_with_the_job_and_the_others_when_they_are_worked_on(
    index: int, told: J | None, status: J
) -> None:
    assert output_status(index, told) is status
