"""An attempt that comes to nothing, as an exception, and the failures that the agent itself can tell of."""

from __future__ import annotations

from typing import Final

from shared.failures import Cause, Failure, FailureCode, FailureReason


class AttemptFailed(Exception):
    """No output can be made; the failure says whose fault it is."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


INPUT_MISSING: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.INPUT_MISSING,
    message="The input is not in its bucket. Upload it and submit a new job.",
)
COMPANION_MISSING: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.INPUT_MISSING,
    message="A picture or caption file that this output needs is not there, or changed while it was read. Upload it again.",
)
COMPANION_TOO_LARGE: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.FILE_TOO_LARGE,
    message="A picture or caption file that this output needs is larger than 20 MiB. Upload a smaller one.",
)
INPUT_CHANGED: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.STORAGE_ERROR,
    message="The input object changed while it was being read. Leave inputs as they are until their jobs have ended.",
    reason=FailureReason.INPUT_CHANGED,
)
INPUT_CORRUPT: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.BAD_INPUT_FORMAT,
    message="The input is not the file that the job names: its SHA-256 differs. Upload it again, or correct `sha256`.",
    reason=FailureReason.INPUT_CHANGED,
)
INPUT_UNREACHABLE: Final = Failure(
    cause=Cause.NODE, code=FailureCode.STORAGE_ERROR, message="The node could not fetch the input from its storage."
)
OUTPUT_UNREACHABLE: Final = Failure(
    cause=Cause.NODE, code=FailureCode.STORAGE_ERROR, message="The node could not upload the outputs to their storage."
)
OUTPUT_BUCKET_MISSING: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.BUCKET_MISSING,
    message="The bucket of the outputs no longer takes them. Was it forgotten, or its directory removed?",
)
REPORT_TOO_LARGE: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.INVALID_JOB,
    message="The job made more files than one report can name. Ask for longer segments, fewer thumbnails or fewer outputs.",
)
REPORT_REFUSED: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.INTERNAL,
    message="The service could not understand what the node reported of its work.",
)
OUTPUT_STORAGE_FULL: Final = Failure(
    cause=Cause.UNKNOWN, code=FailureCode.STORAGE_ERROR, message="The storage of the outputs is full."
)
SCRATCH_FULL: Final = Failure(
    cause=Cause.NODE,
    code=FailureCode.NODE_FAULT,
    message="The node ran out of disk space.",
    reason=FailureReason.STORAGE_FULL,
)
OUTGREW_ITS_ROOM: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.INTERNAL,
    message="The work took far more disk space than was set aside for it. Was its input replaced after it was submitted?",
    reason=FailureReason.STORAGE_FULL,
)
"""Not the node's fault: else whoever uploads a large input late could have one node after the other set aside."""
STALLED: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.INTERNAL,
    message="The encoder stood still and was ended.",
    reason=FailureReason.STALLED,
)
TOOK_TOO_LONG: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.INTERNAL,
    message="The encode took far longer than this input should need and was ended.",
    reason=FailureReason.TOOK_TOO_LONG,
)
CONFINEMENT_FAILED: Final = Failure(
    cause=Cause.NODE, code=FailureCode.NODE_FAULT, message="The node could not confine ffmpeg."
)
AGENT_FAULT: Final = Failure(
    cause=Cause.NODE, code=FailureCode.INTERNAL, message="The node's agent failed in a way it did not expect."
)
