"""Requests and answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.capacity import Bytes, Free, NodeFacts
from shared.ids import BootId, ClusterId, NodeId
from shared.models import Message
from shared.protocol.common import PROTOCOL_VERSION, AttemptRef, Timings
from shared.protocol.orders import Order
from shared.protocol.outcomes import Outcome
from shared.protocol.progress import AttemptEvent, AttemptProgress, DetectedProperties, LogTail
from shared.protocol.work import InputSpec
from shared.statuses import NodeState, Phase


class EnrolRequest(Message):
    protocol: int = PROTOCOL_VERSION
    join_token: str
    hostname: str


class EnrolAnswer(Message):
    node_id: NodeId
    credential: str
    cluster_id: ClusterId


class Interruption(Message):
    """How an attempt ended that its agent could not report: told by the next start, from the journal."""

    ref: AttemptRef
    by: Literal["kill", "reboot"] = Field(description="Whether the machine itself started anew.")
    phase: Phase = Field(description="What the attempt was doing.")


class HelloRequest(Message):
    protocol: int = PROTOCOL_VERSION
    boot_id: BootId
    before: tuple[BootId, ...] | None = Field(
        None,
        max_length=100,
        description="The last earlier start that was answered and those since, as this machine remembers: "
        "a start that does not name the one which is known comes from another machine. Null: not said.",
    )
    facts: NodeFacts
    unreported: tuple[AttemptRef, ...] = Field(
        (), description="Attempts that ended and whose report is still in the outbox."
    )
    interrupted: tuple[Interruption, ...] = Field(
        (), description="Attempts that the end of an earlier start cut off, without a report."
    )


class HelloAnswer(Message):
    timings: Timings
    draining: bool
    server_time_ms: int | None = Field(
        None, description="Unix time. A node tells its owner how far its own clock is off; nothing else depends on it."
    )


class CheckRequest(Message):
    protocol: int = PROTOCOL_VERSION


class CheckAnswer(Message):
    """What the owner of a node is told; the link takes at most `link_size` bytes."""

    server_time_ms: int
    node_id: NodeId
    cluster_id: ClusterId
    state: NodeState
    running: int = Field(description="Attempts that the control plane has given to this node and not heard the end of.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="All that jobs may ask for, the operator's included."
    )
    link: str = Field(description="Signed PUT and GET; relative to the control plane, or absolute.")
    link_size: Bytes


class DrainingRequest(Message):
    draining: bool


class DrainingAnswer(Message):
    state: NodeState


class PollRequest(Message):
    boot_id: BootId
    free: Free
    wait: float = 20.0
    draining: bool | None = Field(
        None, description="What the node was last told: it is ordered to drain or resume when that is no longer so."
    )
    reprobing: bool = Field(False, description="It was told to probe again and has not said hello since.")


class PollAnswer(Message):
    orders: tuple[Order, ...] = ()
    timings: Timings


class AcceptRequest(Message):
    ref: AttemptRef


class AcceptAnswer(Message):
    timings: Timings


class BeatRequest(Message):
    boot_id: BootId
    free: Free
    attempts: tuple[AttemptProgress, ...] = ()


class Verdict(Message):
    """What is to become of one attempt: go on, stop it (and report `stopped`), or drop it: the lease is gone."""

    ref: AttemptRef
    verdict: Literal["keep", "stop", "drop"]


class BeatAnswer(Message):
    verdicts: tuple[Verdict, ...] = ()
    timings: Timings
    draining: bool = False
    reprobe: bool = Field(False, description="Probe again: as the order of that name.")


class ProgressRequest(Message):
    boot_id: BootId
    attempts: tuple[AttemptProgress, ...]


class ProbedRequest(Message):
    ref: AttemptRef
    inputs: tuple[DetectedProperties, ...]


class ProbedAnswer(Message):
    verdict: Literal["keep", "stop", "drop"] = "keep"


class LogRequest(Message):
    ref: AttemptRef
    log: LogTail


class StagedFile(Message):
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_.]{0,99}$", description="The agent's own name for it within the attempt."
    )
    size: Bytes


class UrlsRequest(Message):
    ref: AttemptRef
    files: tuple[StagedFile, ...] = Field((), max_length=5000)
    inputs: tuple[int, ...] = Field((), max_length=100, description="Indices of inputs to get new links for.")


class Upload(Message):
    name: str
    url: str = Field(description="Signed PUT; relative to the control plane, or absolute.")


class UrlsAnswer(Message):
    uploads: tuple[Upload, ...]
    inputs: tuple[InputSpec, ...] = ()


class ReportRequest(Message):
    ref: AttemptRef
    outcome: Outcome
    events: tuple[AttemptEvent, ...] = Field((), max_length=100, description="All of the attempt, in order.")
    log: LogTail | None = None


class ReportAnswer(Message):
    task_state: str
