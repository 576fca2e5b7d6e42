"""What a pass of ffmpeg may take, what part of the work it is, and what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.jobs.failure import STALLED
from agent.media import Pass, diagnose
from agent.sandbox import EndedBy, Exit, Limits
from shared.failures import Failure

LEAST_ENCODE_TIME: Final = 900.0
ENCODE_TIME_PER_SECOND: Final = 60.0
"""Seconds of wall time for each second of media and each output; beyond it the encode hangs, it is not slow."""


def shares(passes: Sequence[Pass]) -> list[float]:
    """What part of the work each is; alike, where one of them is of unknown length."""
    amounts = [encode.duration * len(encode.outputs) for encode in passes]
    whole = sum(amounts)
    return [amount / whole if all(amounts) else 1 / len(amounts) for amount in amounts]


def encode_time(encode: Pass) -> float:
    """Seconds that a pass may take; without a known duration, as long as anything may."""
    if not encode.duration:
        return Limits().wall_time
    return LEAST_ENCODE_TIME + ENCODE_TIME_PER_SECOND * encode.duration * len(encode.outputs)


def failure_of(ended: Exit) -> Failure:
    return STALLED if ended.ended_by is EndedBy.STALL else diagnose(ended.returncode, ended.stderr)


def encoders_of(encode: Pass) -> str:
    return "+".join(dict.fromkeys(output.encoder for output in encode.outputs))


def means_of(encode: Pass) -> str:
    """A card that encodes what it does not decode is told from one that does both."""
    return encoders_of(encode) + (
        " after decoding in software" if encode.is_on_gpu and not encode.decodes_on_gpu else ""
    )
