"""A few bytes to the storage and back, as inputs and outputs go: by a signed link."""

from __future__ import annotations

import os
from typing import Final

from agent.doctor.finding import Finding, fact, failure, good
from agent.doctor.subject import Subject
from agent.refusals import Unreachable
from shared.clock import SystemClock
from shared.errors import ErrorCode, TranscoderError

SIZE: Final = 128 * 1024
_FULL: Final = "make room on the disk of the control plane's buckets"
_BETWEEN: Final = "look at proxies in between: they must pass PUT and GET below /objects/ unchanged"


async def check(subject: Subject) -> list[Finding]:
    client, answer = subject.client, subject.heard.answer
    if client is None or answer is None:
        return [fact("not tried: the control plane gave no link")]
    sent = os.urandom(min(SIZE, answer.link_size))
    clock = SystemClock()
    began = clock.monotonic()
    try:
        await client.put(answer.link, sent)
        got = await client.get(answer.link, len(sent) + 1)
    except (Unreachable, TranscoderError) as error:
        is_full = isinstance(error, TranscoderError) and error.code is ErrorCode.STORAGE_FULL
        return [failure(f"storage cannot be reached: {error}", _FULL if is_full else _BETWEEN)]
    if got != sent:
        return [failure("storage gave back something else than was put there", _BETWEEN)]
    return [good(f"{len(sent) >> 10} KiB went to the storage and back in {clock.monotonic() - began:.2f} s")]
