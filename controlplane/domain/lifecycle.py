"""What may follow what: the two transition tables, and everything that derives from them.

No other code chooses a state. The guards in SQL, the terminal sets, the diagram in the docs and the property tests are
all read off these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.statuses import JobStatus as J
from shared.statuses import TaskState as T


class TaskEvent(StrEnum):
    START = "start"  # somebody started a job that waited for it
    GRANT = "grant"
    ACCEPT = "accept"
    REQUEUE = "requeue"  # the lease ended without a result: lost, handed back, or a fault that is worth another try
    STOP = "stop"
    STOPPED = "stopped"
    CANCEL = "cancel"
    FINISH = "finish"  # results lie verified in staging
    PUBLISH = "publish"  # and are visible now
    FAIL = "fail"


class JobEvent(StrEnum):
    ACCEPT = "accept"
    CANCEL = "cancel"
    STOP = "stop"
    COMPLETE = "complete"
    FAIL = "fail"


TASK_TRANSITIONS: Final[Mapping[tuple[T, TaskEvent], T]] = {
    (T.HELD, TaskEvent.START): T.WAITING,
    (T.HELD, TaskEvent.CANCEL): T.STOPPED,
    (T.WAITING, TaskEvent.GRANT): T.LEASED,
    (T.WAITING, TaskEvent.CANCEL): T.STOPPED,
    (T.WAITING, TaskEvent.STOP): T.STOPPED,  # between two attempts nothing runs
    (T.WAITING, TaskEvent.FAIL): T.FAILED,
    (T.LEASED, TaskEvent.ACCEPT): T.RUNNING,
    (T.LEASED, TaskEvent.REQUEUE): T.WAITING,
    (T.LEASED, TaskEvent.CANCEL): T.STOPPED,  # an unaccepted lease is revoked
    (T.LEASED, TaskEvent.STOP): T.STOPPED,
    (T.LEASED, TaskEvent.FAIL): T.FAILED,
    (T.RUNNING, TaskEvent.REQUEUE): T.WAITING,
    (T.RUNNING, TaskEvent.STOP): T.STOPPING,
    (T.RUNNING, TaskEvent.FINISH): T.PUBLISHING,
    (T.RUNNING, TaskEvent.FAIL): T.FAILED,
    (T.STOPPING, TaskEvent.STOPPED): T.STOPPED,
    (T.PUBLISHING, TaskEvent.PUBLISH): T.SUCCEEDED,
    (T.PUBLISHING, TaskEvent.FAIL): T.FAILED,
}

JOB_TRANSITIONS: Final[Mapping[tuple[J, JobEvent], J]] = {
    (J.SUBMITTED, JobEvent.ACCEPT): J.PROGRESSING,
    (J.SUBMITTED, JobEvent.CANCEL): J.CANCELED,
    (J.SUBMITTED, JobEvent.FAIL): J.ERROR,
    (J.PROGRESSING, JobEvent.ACCEPT): J.PROGRESSING,  # a later attempt
    (J.PROGRESSING, JobEvent.STOP): J.CANCELED,
    (J.PROGRESSING, JobEvent.COMPLETE): J.COMPLETE,
    (J.PROGRESSING, JobEvent.FAIL): J.ERROR,
}


def task_sources(event: TaskEvent) -> frozenset[T]:
    """The states in which a task may take an event."""
    return frozenset(state for state, e in TASK_TRANSITIONS if e is event)


def job_sources(event: JobEvent) -> frozenset[J]:
    """The statuses in which a job may take an event."""
    return frozenset(status for status, e in JOB_TRANSITIONS if e is event)


TERMINAL_TASKS: Final = frozenset(T) - {state for state, _ in TASK_TRANSITIONS}
TERMINAL_JOBS: Final = frozenset(J) - {status for status, _ in JOB_TRANSITIONS}
LEASED_TASKS: Final = frozenset({T.LEASED, T.RUNNING, T.STOPPING})
"""The states in which a node holds a lease: its slots are taken, and its silence counts."""


def output_status(index: int, told: J | None) -> J:
    """The status of one of several outputs while their job is Progressing; `told` by the node that works on it.

    The first begins with the job, in which one is always being worked on or has ended.
    """
    return told or (J.PROGRESSING if index == 0 else J.SUBMITTED)


def aggregate(outputs: list[J]) -> J:
    """The status of a job whose outputs have all ended."""
    return J.ERROR if J.ERROR in outputs else J.COMPLETE
