"""States and statuses that travel. What may follow what stands in `controlplane.domain.lifecycle`."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """Of jobs, outputs and playlists; Elastic Transcoder's five."""

    SUBMITTED = "Submitted"
    PROGRESSING = "Progressing"
    COMPLETE = "Complete"
    CANCELED = "Canceled"
    ERROR = "Error"


class TaskState(StrEnum):
    HELD = "Held"  # waits for `start`
    WAITING = "Waiting"
    LEASED = "Leased"  # granted, not yet accepted
    RUNNING = "Running"
    PUBLISHING = "Publishing"
    STOPPING = "Stopping"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"


class PipelineStatus(StrEnum):
    ACTIVE = "Active"
    PAUSED = "Paused"


class ClusterStatus(StrEnum):
    ACTIVE = "Active"
    PAUSED = "Paused"


class NodeState(StrEnum):
    ACTIVE = "Active"
    DRAINING = "Draining"
    DRAINED = "Drained"  # what a draining node is called once nothing runs on it; never stored
    REVOKED = "Revoked"


class NodeTrust(StrEnum):
    """Whether a node is trusted with work, whatever its state."""

    GOOD = "Good"
    SET_ASIDE = "SetAside"  # it failed too often: no work for a while
    ON_TRIAL = "OnTrial"  # one task at a time, until one succeeds
    CLONED = "Cloned"  # two machines use its credential: no work until an operator resumes it


class Phase(StrEnum):
    """What an attempt is doing now."""

    FETCHING = "fetching"
    PROBING = "probing"
    ENCODING = "encoding"
    VERIFYING = "verifying"
    UPLOADING = "uploading"
    PUBLISHING = "publishing"
