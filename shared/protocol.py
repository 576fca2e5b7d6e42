"""The conversation between an agent and the control plane. Nothing ever connects to an agent: it asks.

All messages are JSON, `POST`ed to `/agent/v1/<name>` under the node's credential (`Authorization: Bearer …`), except `authority`
and `enrol`.

    authority once, and by GET: the certificate by which the control plane is known, for a join token that carries its
              fingerprint. Nothing else is said before the two were compared
    enrol     once: a one-time join token buys a node id and a credential
    hello     at every start: a new boot id, those before it, the probed facts, the attempts whose result is still in the
              outbox, and of the others in the agent's journal how they ended. Every lease of the node's earlier boots
              that has no result to come ends at once and its work waits again. An attempt that a reboot ended, or a
              kill while it fetched or uploaded, is the node's fault and not counted; one that was being read,
              encoded or verified may be what killed the agent: it counts, and runs alone from then on. A graceful
              end hands back, and spends none
    poll      held up to `poll_wait`; carries what is free; answered with orders as soon as there are any. A node breaks off
              a held poll and asks again when it has more (or less) free than it said; a poll answers again with every
              granted attempt that was not accepted yet, so an answer that got lost loses nothing. It says what the node
              was last told of draining and probing, and is answered with the order for as long as that is not what is wanted
    accept    before anything of an attempt runs: after this the job is Progressing and can no longer be cancelled. A grant
              that is not accepted within seconds is given to somebody else, and nothing is spent
    probed    what the inputs are, before anything is encoded: what the job will make is counted against its tenant's quota.
              Answered with keep; with stop; or with drop when too little is left of it: then the job has failed and the
              lease is gone
    beat      every `beat_interval`: presence, and renewal of the lease of every attempt named in it;
              answered per attempt with keep, stop or drop, and with whether the node is to drain or to probe again
    progress  between beats, at most every `progress_interval`, for those who watch; renews nothing, may get lost
    log       the last lines of what an attempt said, when there are new ones; may get lost, the report brings the last
    urls      where to upload the objects of one attempt, and new links to inputs whose links have run out
    check     asked by the node's owner, not by the agent: whether the credential is good, how late it is at the control plane, and
              a link under which a few bytes can be put and got again. Changes nothing
    draining  the owner's word that the node takes no new work, or takes it again; the last word counts, his or an operator's
    report    how an attempt ended; kept in an outbox on disk and sent again until it is answered

Every message about an attempt carries its `AttemptRef`. One that is not the live lease changes nothing and is answered
with `stale_lease` (409): the agent ends the attempt, deletes its workspace and says no more of it. Reports are idempotent:
the same one again is answered as the first time. Polls and beats of a start that another has followed are answered with
`stale_lease` too, and its agent ends; two that go on as strangers to each other are clones: the node gets no work.
Clocks are never compared: messages carry durations, in seconds.

Refusals are RFC 9457 documents with a `code`. `unauthenticated` and `protocol_too_old` end the agent; 408, 425, 429 and 5xx are
asked again, after `Retry-After`; so is whatever has no `code`, since it comes from something in between. A `code` of another
kind would be the same tomorrow.

Objects are no messages: inputs are GET by their signed links, in parts (`Range`, with `If-Range`, so that a replaced object is
noticed), and outputs PUT whole, with their length. A link that is refused (403 `link_refused`) has run out: `urls` gives another.
What was put lies in the attempt's own staging place and is seen by nobody before the report was accepted.

    enrolled ─ hello ─┬─ poll ── StartTask ─ accept ─ probed ─ (beat | progress)* ─ urls ─ report
                      └─ poll ── StopTask  ─ the process ends ─ report(stopped)
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from shared.capacity import Bytes, Free, NodeFacts
from shared.failures import Failure, FailureReason
from shared.ids import Attempt, BootId, ClusterId, JobId, LeaseId, NodeId, TaskId
from shared.jobspec import HardwarePreference, PlaylistFormat, Settings, ThumbnailSettings
from shared.models import Message
from shared.statuses import JobStatus, NodeState, Phase

PROTOCOL_VERSION: Final = 1
"""1 (2026-11): the first."""
OLDEST_PROTOCOL: Final = 1
"""The oldest that is still answered: a control plane is updated first, its agents in their own time, one number behind."""
LOG_SIZE: Final = 16 * 1024
"""Characters of an attempt's log that are kept and sent: its end."""


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


# What is to be done ---------------------------------------------------------------------------------------------------


class InputSpec(Message):
    index: int
    url: str = Field(description="Signed GET; relative to the control plane, or absolute.")
    size: Bytes
    sha256: str | None = Field(None, description="In hexadecimal, where the tenant named it.")


class ThumbnailSpec(Message):
    pattern: str = Field(description="The whole key, {count} and {resolution} still in it, without extension.")
    settings: ThumbnailSettings


class OutputSpec(Message):
    index: int
    key: str = Field(description="The whole key; with `segment_duration` the stem of playlist and segments.")
    settings: Settings
    segment_duration: float | None = None
    thumbnails: ThumbnailSpec | None = None


class PlaylistSpec(Message):
    index: int
    key: str = Field(description="The whole key, extension included.")
    format: PlaylistFormat
    outputs: tuple[int, ...] = Field(description="Indices of outputs, in the tenant's order.")


class TranscodeFile(Message):
    """Make every output of a job from its inputs."""

    kind: Literal["transcode_file"] = "transcode_file"
    outputs: tuple[OutputSpec, ...]
    playlists: tuple[PlaylistSpec, ...] = ()
    hardware: HardwarePreference = HardwarePreference.PREFER


Payload = Annotated[TranscodeFile, Field(discriminator="kind")]
"""Tagged, so that streams, probes and parts of files can join."""


# Orders ---------------------------------------------------------------------------------------------------------------


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


# Calls ----------------------------------------------------------------------------------------------------------------


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


class Progress(Message):
    """How far an attempt is. `percent` never falls within an attempt and ends at 100 only with the report."""

    phase: Phase
    percent: float = Field(ge=0, le=100)
    fps: float | None = None
    speed: float | None = Field(None, description="Seconds of media per second.")
    eta: float | None = Field(None, description="Seconds left, as far as one can tell.")
    encoder: str | None = None


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


class DetectedProperties(Message):
    """Of an input, as ffprobe sees it; null where it has none (a sound file has no width)."""

    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    duration: float | None = None
    size: Bytes


class ProbedRequest(Message):
    ref: AttemptRef
    inputs: tuple[DetectedProperties, ...]


class ProbedAnswer(Message):
    verdict: Literal["keep", "stop", "drop"] = "keep"


class LogTail(Message):
    """The end of what was said: `said` characters in all, of which `text` are the last. A reader at n lacks said - n."""

    said: int = Field(ge=0)
    text: str = Field(max_length=LOG_SIZE)


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


# How it ended ---------------------------------------------------------------------------------------------------------


class ProducedObject(Message):
    """A verified file, uploaded to staging as `name`, to become visible as `key`."""

    name: str
    key: str
    size: Bytes
    role: Literal["media", "media_playlist", "master_playlist", "thumbnail"]


class OutputResult(Message):
    index: int
    status: Literal[JobStatus.COMPLETE, JobStatus.ERROR]
    failure: Failure | None = None
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    duration: float | None = None
    size: Bytes | None = None
    encoder: str | None = None
    objects: tuple[ProducedObject, ...] = ()


class PlaylistResult(Message):
    index: int
    status: Literal[JobStatus.COMPLETE, JobStatus.ERROR]
    failure: Failure | None = None
    objects: tuple[ProducedObject, ...] = ()


class Finished(Message):
    """Every output has ended, well or badly, and the good ones lie verified in staging."""

    type: Literal["finished"] = "finished"
    inputs: tuple[DetectedProperties, ...]
    outputs: tuple[OutputResult, ...]
    playlists: tuple[PlaylistResult, ...] = ()
    encode_seconds: float = Field(description="Wall time in ffmpeg.")


class Failed(Message):
    """Nothing came of it; the cause decides whether it is tried again."""

    type: Literal["failed"] = "failed"
    failure: Failure
    inputs: tuple[DetectedProperties, ...] = ()
    encode_seconds: float = Field(0.0, description="Wall time in ffmpeg, as far as it came.")


class Stopped(Message):
    """The process that was ordered to stop is gone, with everything it started."""

    type: Literal["stopped"] = "stopped"


class HandedBack(Message):
    """The node gives the work back as it ends in order: no attempt is spent. After a kill there is no such report: see hello."""

    type: Literal["handed_back"] = "handed_back"
    reason: str


Outcome = Annotated[Finished | Failed | Stopped | HandedBack, Field(discriminator="type")]


class ReportRequest(Message):
    ref: AttemptRef
    outcome: Outcome
    events: tuple[AttemptEvent, ...] = Field((), max_length=100, description="All of the attempt, in order.")
    log: LogTail | None = None


class ReportAnswer(Message):
    task_state: str
