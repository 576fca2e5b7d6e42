"""Tells the last lines of what the running attempts say, to those who watch. Nothing depends on it: the report brings the end."""

from __future__ import annotations

import contextlib
from typing import Final

from agent.client import ControlPlane
from agent.jobs.workload import Workload
from agent.loops.timing import Timing
from agent.refusals import ProtocolTooOld, Revoked, Unreachable
from shared.errors import TranscoderError
from shared.protocol import AttemptRef, LogRequest, LogTail

STRETCH: Final = 2.0
"""Times the interval of progress: a tail is larger than a percentage."""


class Logs:
    def __init__(self, client: ControlPlane, workload: Workload, *, timing: Timing) -> None:
        self._client = client
        self._workload = workload
        self._timing = timing

    async def run(self) -> None:
        told: dict[AttemptRef, int] = {}
        while True:
            await self._workload.busy.wait()
            tails = self._workload.tails()
            for ref, tail in tails.items():
                if told.get(ref) != tail.said:
                    await self._tell(ref, tail)
            told = {ref: tail.said for ref, tail in tails.items()}
            await self._timing.sleep(STRETCH * self._client.timings.progress_interval)

    async def _tell(self, ref: AttemptRef, tail: LogTail) -> None:
        """Whatever goes wrong here, the beats find out and act on it."""
        with contextlib.suppress(Unreachable, TranscoderError, Revoked, ProtocolTooOld):
            await self._client.log(LogRequest(ref=ref, log=tail))
