"""The decisions between ffmpeg's end and the report."""

import pytest

from agent.jobs.failure import AttemptFailed
from agent.jobs.outcome import raise_if_nothing_came, results, staged
from agent.jobs.running import limits_of
from agent.media import Package
from agent.sandbox import Limits
from shared.failures import Cause
from shared.protocol import OutputResult, ProducedObject
from shared.statuses import JobStatus
from tests.unit.agent.builders import GIB, a_failure, a_start


def made(name: str, key: str) -> ProducedObject:
    return ProducedObject(name=name, key=key, size=1, role="media")


def complete(index: int, *objects: ProducedObject) -> OutputResult:
    return OutputResult(index=index, status=JobStatus.COMPLETE, objects=objects)


def test_memory_is_limited_to_what_was_granted() -> None:
    limits = limits_of(a_start(memory=2 * GIB), wall_time=60, file_size=GIB)
    assert (limits.memory, limits.wall_time) == (2 * GIB, 60)


def test_a_file_may_grow_beyond_the_granted_scratch_as_far_as_the_disk_allows() -> None:
    assert limits_of(a_start(scratch=1), wall_time=60, file_size=3 * GIB).file_size == 3 * GIB


def test_a_server_that_grants_no_memory_leaves_the_sandboxs_own_limit() -> None:
    assert limits_of(a_start(memory=0), wall_time=60, file_size=GIB).memory == Limits().memory


def test_no_encode_may_take_longer_than_the_sandbox_allows() -> None:
    assert limits_of(a_start(), wall_time=1e9, file_size=GIB).wall_time == Limits().wall_time


def test_one_good_output_is_worth_reporting() -> None:
    raise_if_nothing_came({0: object()}, {1: a_failure(Cause.UNKNOWN)})


def test_an_input_that_suits_no_output_is_reported_output_by_output() -> None:
    raise_if_nothing_came({}, {0: a_failure(Cause.INPUT), 1: a_failure(Cause.INPUT)})


def test_when_nothing_came_of_it_and_nobody_knows_why_it_is_tried_again() -> None:
    with pytest.raises(AttemptFailed):
        raise_if_nothing_came({}, {0: a_failure(Cause.INPUT), 1: a_failure(Cause.UNKNOWN)})


def test_results_come_in_the_tenants_order() -> None:
    packed = Package({}, (complete(0), complete(2)), (), ())
    listed = results(packed, {1: a_failure()})
    assert [(result.index, result.status) for result in listed] == [
        (0, JobStatus.COMPLETE),
        (1, JobStatus.ERROR),
        (2, JobStatus.COMPLETE),
    ]


def test_a_file_that_becomes_two_objects_is_uploaded_once() -> None:
    packed = Package(
        {}, (complete(0, made("o0.mp4", "a")), complete(1, made("o0.mp4", "b"), made("o1.mp4", "c"))), (), ()
    )
    assert [file.name for file in staged(packed)] == ["o0.mp4", "o1.mp4"]
