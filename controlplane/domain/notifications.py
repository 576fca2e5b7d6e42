"""Who is told of what happens to jobs: the events there are, the topics of a pipeline, and when a message is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from shared.models import Sent
from shared.statuses import JobStatus

TOPIC_PATTERN: Final = r'^arn:aws:sns:[^\x00-\x1f\x7f"\\]*:\w{12}:[^\x00-\x1f\x7f"\\]+$'
TopicArn = Annotated[str, StringConstraints(pattern=TOPIC_PATTERN, max_length=512)]

SECOND_MS: Final = 1000
HOUR_MS: Final = 3600 * SECOND_MS


class Happening(StrEnum):
    """What a webhook may be told of. Names are part of the API."""

    SUBMITTED = "job.submitted"
    PROGRESSING = "job.progressing"
    WARNING = "job.warning"
    COMPLETED = "job.completed"
    ERROR = "job.error"
    CANCELED = "job.canceled"


TEST: Final = "webhook.test"
CONFIRMATION: Final = "topic.confirmation"
"""Messages about the endpoint itself."""

STATUS: Final[Mapping[Happening, JobStatus]] = {
    Happening.SUBMITTED: JobStatus.SUBMITTED,
    Happening.PROGRESSING: JobStatus.PROGRESSING,
    Happening.WARNING: JobStatus.PROGRESSING,
    Happening.COMPLETED: JobStatus.COMPLETE,
    Happening.ERROR: JobStatus.ERROR,
    Happening.CANCELED: JobStatus.CANCELED,
}
"""Of a job at the moment that is told of: what became of it since is no part of the message."""


class Notifications(Sent):
    """A topic per event; null: nobody is told."""

    progressing: TopicArn | None = Field(None, description="When a node begins.")
    completed: TopicArn | None = Field(None, description="When every output and playlist is there.")
    warning: TopicArn | None = Field(None, description="When an attempt came to nothing and there will be another.")
    error: TopicArn | None = Field(None, description="When the job failed, or a part of it.")

    def topic(self, happening: Happening) -> str | None:
        """None for what topics are never told."""
        field = _TOPICS.get(happening)
        return None if field is None else getattr(self, field)


_TOPICS: Final = {
    Happening.PROGRESSING: "progressing",
    Happening.COMPLETED: "completed",
    Happening.WARNING: "warning",
    Happening.ERROR: "error",
}
TOLD_TO_TOPICS: Final = tuple(_TOPICS)


def hears(happening: str) -> str:
    """How `types` have it. Names have nothing that SQL's LIKE takes for more than itself."""
    return f'"{happening}"'


class EndpointKind(StrEnum):
    WEBHOOK = "webhook"
    TOPIC = "topic"


class EndpointStatus(StrEnum):
    PENDING = "Pending"  # a topic's endpoint that has not confirmed
    ACTIVE = "Active"
    DISABLED = "Disabled"


class DeliveryState(StrEnum):
    PENDING = "Pending"
    DELIVERED = "Delivered"
    FAILED = "Failed"  # given up


class Verdict(StrEnum):
    """What an answer means for the message and its endpoint."""

    DELIVERED = "delivered"
    AGAIN = "again"
    GONE = "gone"  # the endpoint wants no more of them


GONE: Final = 410

OFFSETS_MS: Final = (
    0,
    5 * SECOND_MS,
    HOUR_MS // 12,
    HOUR_MS // 2,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
)
"""After its beginning, when a message is tried; then it is given up."""
JITTER: Final = 0.1
"""By which share of the time between two tries the later one may come later still."""


def verdict(status: int | None) -> Verdict:
    """Of an HTTP status, None for no answer. A redirect is not followed, and no success."""
    if status is not None and 200 <= status < 300:
        return Verdict.DELIVERED
    return Verdict.GONE if status == GONE else Verdict.AGAIN


def next_try(*, begun_at: int, tries: int, now: int, retry_after_ms: int | None, chance: float) -> int | None:
    """When a message that has been tried so often is tried again; None: it is given up.

    Whoever answers with `Retry-After` is left alone at least as long, and at most until the last try. `chance` lies in 0…1.
    """
    if tries >= len(OFFSETS_MS):
        return None
    gap = OFFSETS_MS[tries] - OFFSETS_MS[tries - 1]
    planned = begun_at + OFFSETS_MS[tries] + int(gap * JITTER * chance)
    asked = min(now + (retry_after_ms or 0), begun_at + OFFSETS_MS[-1])
    return max(planned, asked, now + SECOND_MS)
