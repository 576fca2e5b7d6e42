"""What several messages are made of."""

from __future__ import annotations

from typing import Final

from shared.ids import Attempt, LeaseId, TaskId
from shared.models import Message

PROTOCOL_VERSION: Final = 1
"""1 (2026-11): the first."""
OLDEST_PROTOCOL: Final = 1
"""The oldest that is still answered: a control plane is updated first, its agents in their own time, one number behind."""
LOG_SIZE: Final = 16 * 1024
"""Characters of an attempt's log that are kept and sent: its end."""


MESSAGE_SIZE: Final = 8 * 1024 * 1024
"""Bytes of one message: a report of a long film names thousands of segments."""
ENROL_SIZE: Final = 8 * 1024
"""Bytes of the one message that anybody may send."""


class AttemptRef(Message):
    """Names one lease. All three must be those of the live one."""

    task_id: TaskId
    attempt: Attempt
    lease_id: LeaseId


class Timings(Message):
    """Set by the server, in every answer to hello, poll, accept and beat; seconds."""

    beat_interval: float = 10.0
    lease: float = 60.0
    poll_wait: float = 20.0
    progress_interval: float = 1.0
