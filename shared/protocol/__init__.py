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
              that is not accepted within seconds is given to somebody else, and nothing is spent. One that was told may have
              come to nothing, when the control plane was killed before it was on disk: then its accept is stale
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

Objects are no messages: inputs, and the pictures and captions that go with them, are GET by their signed links, in parts
(`Range`, with `If-Range`, so that a replaced object is noticed), and outputs PUT whole, with their length. A link that is
refused (403 `link_refused`) has run out: `urls` gives another. What was put lies in the attempt's own staging place and is seen
by nobody before the report was accepted.

    enrolled ─ hello ─┬─ poll ── StartTask ─ accept ─ probed ─ (beat | progress)* ─ urls ─ report
                      └─ poll ── StopTask  ─ the process ends ─ report(stopped)
"""

from shared.protocol.calls import (
    AcceptAnswer,
    AcceptRequest,
    BeatAnswer,
    BeatRequest,
    CheckAnswer,
    CheckRequest,
    DrainingAnswer,
    DrainingRequest,
    EnrolAnswer,
    EnrolRequest,
    HelloAnswer,
    HelloRequest,
    Interruption,
    LogRequest,
    PollAnswer,
    PollRequest,
    ProbedAnswer,
    ProbedRequest,
    ProgressRequest,
    ReportAnswer,
    ReportRequest,
    StagedFile,
    Upload,
    UrlsAnswer,
    UrlsRequest,
    Verdict,
)
from shared.protocol.common import (
    ENROL_SIZE,
    LOG_SIZE,
    MESSAGE_SIZE,
    OLDEST_PROTOCOL,
    PROTOCOL_VERSION,
    AttemptRef,
    Timings,
)
from shared.protocol.orders import Drain, Order, Reprobe, Resume, StartTask, StopTask
from shared.protocol.outcomes import (
    Failed,
    Finished,
    HandedBack,
    Outcome,
    OutputResult,
    PlaylistResult,
    ProducedObject,
    Stopped,
)
from shared.protocol.progress import (
    AttemptEvent,
    AttemptProgress,
    DetectedProperties,
    Fallback,
    LogTail,
    OutputProgress,
    Progress,
    Split,
)
from shared.protocol.work import (
    AlbumArtSpec,
    ArtworkSpec,
    CaptionFormatSpec,
    CaptionSourceSpec,
    Cipher,
    InputCaptionsSpec,
    InputSpec,
    LicenseProtection,
    OutputCaptionsSpec,
    OutputSpec,
    PartSpec,
    Payload,
    PlaylistSpec,
    SegmentProtection,
    Span,
    SpriteSpec,
    ThumbnailSpec,
    TranscodeFile,
    WatermarkSpec,
)

__all__ = [
    "ENROL_SIZE", "LOG_SIZE", "MESSAGE_SIZE", "OLDEST_PROTOCOL", "PROTOCOL_VERSION", "AcceptAnswer", "AcceptRequest",
    "AlbumArtSpec",
    "ArtworkSpec", "AttemptEvent", "AttemptProgress", "AttemptRef", "BeatAnswer", "BeatRequest", "CaptionFormatSpec",
    "CaptionSourceSpec", "CheckAnswer", "CheckRequest", "Cipher", "DetectedProperties", "Drain", "DrainingAnswer",
    "DrainingRequest", "EnrolAnswer", "EnrolRequest", "Failed", "Fallback", "Finished", "HandedBack", "HelloAnswer",
    "HelloRequest", "InputCaptionsSpec", "InputSpec", "Interruption", "LicenseProtection", "LogRequest", "LogTail", "Order",
    "Outcome", "OutputCaptionsSpec", "OutputProgress", "OutputResult", "OutputSpec", "PartSpec", "Payload", "PlaylistResult",
    "PlaylistSpec",
    "PollAnswer", "PollRequest", "ProbedAnswer", "ProbedRequest", "ProducedObject", "Progress", "ProgressRequest",
    "ReportAnswer", "ReportRequest", "Reprobe", "Resume", "SegmentProtection", "Span", "Split", "SpriteSpec", "StagedFile",
    "StartTask", "StopTask", "Stopped", "ThumbnailSpec", "Timings", "TranscodeFile", "Upload", "UrlsAnswer", "UrlsRequest",
    "Verdict", "WatermarkSpec",
]  # fmt: skip
