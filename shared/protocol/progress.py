"""What an agent tells of an attempt while it goes on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.capacity import Bytes
from shared.failures import Failure, FailureReason
from shared.models import Message
from shared.protocol.common import LOG_SIZE, AttemptRef
from shared.statuses import JobStatus, Phase


class OutputProgress(Message):
    """An output that is worked on, or has ended. It is published with the others, when the job has ended."""

    index: int
    status: Literal[JobStatus.PROGRESSING, JobStatus.COMPLETE, JobStatus.ERROR]
    failure: Failure | None = None


class Progress(Message):
    """How far an attempt is. `percent` never falls within an attempt and ends at 100 only with the report."""

    phase: Phase
    percent: float = Field(ge=0, le=100)
    fps: float | None = None
    speed: float | None = Field(None, description="Seconds of media per second.")
    eta: float | None = Field(None, description="Seconds left, as far as one can tell.")
    encoder: str | None = None
    outputs: tuple[OutputProgress, ...] = Field(
        (), max_length=30, description="Those that have begun, by `index`; a later attempt begins them anew."
    )


class Fallback(Message):
    """A card failed at a pass, which is made again by other means. What was finished before stays."""

    type: Literal["fallback"] = "fallback"
    outputs: tuple[int, ...]
    encoder: str
    instead: str
    reason: FailureReason


class Split(Message):
    """A pass with several outputs failed, and each is made by itself, so that only the guilty one fails."""

    type: Literal["split"] = "split"
    outputs: tuple[int, ...]
    reason: FailureReason


AttemptEvent = Annotated[Fallback | Split, Field(discriminator="type")]
"""What happened inside an attempt and belongs into the job's history."""


class AttemptProgress(Message):
    ref: AttemptRef
    progress: Progress
    events: tuple[AttemptEvent, ...] = Field(
        (),
        max_length=100,
        description="All of the attempt so far, in order: those that are new become events of the job.",
    )


class DetectedProperties(Message):
    """Of an input, as ffprobe sees it; null where it has none (a sound file has no width)."""

    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    duration: float | None = None
    size: Bytes


class LogTail(Message):
    """The end of what was said: `said` characters in all, of which `text` are the last. A reader at n lacks said - n."""

    said: int = Field(ge=0)
    text: str = Field(max_length=LOG_SIZE)
