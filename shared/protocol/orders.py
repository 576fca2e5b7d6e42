"""What an agent is told to do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.capacity import Bytes
from shared.ids import JobId
from shared.models import Message
from shared.protocol.common import AttemptRef
from shared.protocol.work import InputSpec, Payload


class StartTask(Message):
    type: Literal["start_task"] = "start_task"
    ref: AttemptRef
    job_id: JobId
    inputs: tuple[InputSpec, ...]
    payload: Payload
    nvenc_sessions: int = Field(0, description="Sessions granted: 0 means encode in software.")
    cpu_threads: int = Field(description="Threads granted.")
    scratch: Bytes = Field(description="Bytes of workspace granted.")
    memory: Bytes = Field(0, description="Bytes of memory granted; 0 when the server does not say.")
    pixel_rate: int = Field(0, description="Pixels per second granted, for the node's own ledger.")


class StopTask(Message):
    type: Literal["stop_task"] = "stop_task"
    ref: AttemptRef


class Drain(Message):
    """Take no new work until `resume`; what runs goes on."""

    type: Literal["drain"] = "drain"


class Resume(Message):
    type: Literal["resume"] = "resume"


class Reprobe(Message):
    """Find out anew what this node can do, as soon as nothing runs on it, and say hello with it."""

    type: Literal["reprobe"] = "reprobe"


Order = Annotated[StartTask | StopTask | Drain | Resume | Reprobe, Field(discriminator="type")]
