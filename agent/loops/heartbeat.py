"""Says that the node is there, which keeps its leases alive, and tells those who watch how far the work is."""

from __future__ import annotations

import contextlib
from typing import Final, assert_never

import structlog

from agent.backoff import Random, full_jitter
from agent.client import ControlPlane
from agent.jobs.outbox import Outbox
from agent.jobs.workload import Workload
from agent.loops.reprobing import Reprobing
from agent.loops.timing import Timing
from agent.refusals import ProtocolTooOld, Revoked, Unreachable
from shared.errors import TranscoderError
from shared.ids import BootId
from shared.protocol import AttemptProgress, BeatRequest, ProgressRequest, Verdict

JITTER: Final = 0.1
_LONGEST_BEAT: Final = 10.0

log = structlog.get_logger()


class Heartbeat:
    """Beats until it is cancelled, which is the last thing that happens to an agent."""

    def __init__(
        self,
        client: ControlPlane,
        workload: Workload,
        outbox: Outbox,
        boot_id: BootId,
        *,
        reprobing: Reprobing,
        timing: Timing,
    ) -> None:
        self._client = client
        self._workload = workload
        self._outbox = outbox
        self._boot_id = boot_id
        self._reprobing = reprobing
        self._timing = timing

    async def run(self) -> None:
        """After a beat that was not answered the next one comes sooner. Raises Revoked or ProtocolTooOld."""
        missed = 0
        while True:
            try:
                await self._beat()
                missed = 0
            except (Unreachable, TranscoderError) as error:
                if not missed:
                    log.warning("beat.unanswered", reason=str(error))
                missed += 1
            pause = next_beat(self._client.timings.beat_interval, missed, self._timing.randomly)
            self._timing.pulse.promise("heartbeat", pause + _LONGEST_BEAT)
            await self._timing.sleep(pause)

    async def _beat(self) -> None:
        request = BeatRequest(boot_id=self._boot_id, free=self._workload.free(), attempts=self._workload.leased())
        answer = await self._client.beat(request)
        for verdict in answer.verdicts:
            await self._obey(verdict)
        self._workload.pause(answer.draining)
        if answer.reprobe:
            self._reprobing.ask()

    async def _obey(self, verdict: Verdict) -> None:
        match verdict.verdict:
            case "keep":
                pass
            case "stop":
                self._workload.stop(verdict.ref)
            case "drop":
                self._workload.drop(verdict.ref)
                await self._outbox.discard(verdict.ref)
            case unknown:
                assert_never(unknown)


class Watching:
    """Tells how far the work is, between beats and only while there is any. Nothing depends on it."""

    def __init__(self, client: ControlPlane, workload: Workload, boot_id: BootId, *, timing: Timing) -> None:
        self._client = client
        self._workload = workload
        self._boot_id = boot_id
        self._timing = timing

    async def run(self) -> None:
        told: tuple[AttemptProgress, ...] = ()
        while True:
            await self._workload.busy.wait()
            running = self._workload.running()
            if running != told:
                told = running
                await self._tell(running)
            await self._timing.sleep(self._client.timings.progress_interval)

    async def _tell(self, running: tuple[AttemptProgress, ...]) -> None:
        """Whatever goes wrong here, the beats find out and act on it."""
        with contextlib.suppress(Unreachable, TranscoderError, Revoked, ProtocolTooOld):
            await self._client.progress(ProgressRequest(boot_id=self._boot_id, attempts=running))


def next_beat(interval: float, missed: int, randomly: Random) -> float:
    """Seconds to the next beat: the interval give or take a tenth, or a growing part of it after missed ones."""
    if missed:
        return full_jitter(missed - 1, randomly, base=interval / 10, cap=interval)
    return interval * (1 + JITTER * (2 * randomly() - 1))
