"""Identifiers, each a type of its own, and how they are made.

Jobs, pipelines and presets carry ids of Elastic Transcoder's form (13 digits of Unix milliseconds, a dash, six word
characters), so that one id serves every dialect. Everything else is a prefixed UUIDv7: sortable by time, unguessable.
"""

from __future__ import annotations

import os
import random
import secrets
from typing import Final, NewType

TenantId = NewType("TenantId", str)  # twelve digits, like an account number
UserId = NewType("UserId", str)
KeyId = NewType("KeyId", str)
ClusterId = NewType("ClusterId", str)  # chosen by the operator: "paris-1"
NodeId = NewType("NodeId", str)
BootId = NewType("BootId", str)  # new at every start of an agent
PipelineId = NewType("PipelineId", str)
PresetId = NewType("PresetId", str)
JobId = NewType("JobId", str)
TaskId = NewType("TaskId", str)
EndpointId = NewType("EndpointId", str)
MessageId = NewType("MessageId", str)  # of a message to an endpoint: the same however often it is sent
LeaseId = NewType("LeaseId", str)
Attempt = NewType("Attempt", int)  # counts the grants of a task; only rises: the fencing token

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]


class TranscoderIds:
    """Makes ids of Elastic Transcoder's form, e.g. `1763750000000-a1b2c3`.

    Those of one process sort in the order in which they were made, also within a millisecond and when the clock is set
    back: listing by id is listing in submission order.
    """

    def __init__(self) -> None:
        self._last_ms = 0
        self._made = 0
        self._chance = random.Random(os.urandom(16))  # noqa: S311 (nobody relies on their being hard to guess)

    def next(self, now_ms: int) -> str:
        if now_ms > self._last_ms:
            self._last_ms, self._made = now_ms, 0
        elif self._made == len(_PAIRS):
            self._last_ms, self._made = self._last_ms + 1, 0
        made, (high, low) = self._made, divmod(int(self._chance.random() * len(_PAIRS) ** 2), len(_PAIRS))
        self._made += 1
        return f"{self._last_ms:013d}-{_PAIRS[made]}{_PAIRS[high]}{_PAIRS[low]}"


def made_at(job_id: str) -> int:
    """Unix milliseconds of an id of Elastic Transcoder's form, or of a task that is named after one."""
    return int(job_id.partition("-")[0])


def prefixed_id(prefix: str, now_ms: int) -> str:
    """`nd_` and the like: a prefix and the hexadecimal form of a UUIDv7 (RFC 9562 §5.7)."""
    chance = int.from_bytes(os.urandom(10), "big")
    value = (
        (now_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (chance >> 68 & 0xFFF) << 64 | 0b10 << 62 | chance & (1 << 62) - 1
    )
    return f"{prefix}_{value:032x}"


def lease_id() -> LeaseId:
    """128 random bits: nobody can name a lease that was not granted to them."""
    return LeaseId(secrets.token_hex(16))
