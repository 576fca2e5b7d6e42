"""Sends what is in the outbox until it is answered."""

from __future__ import annotations

import contextlib

import structlog

from agent.backoff import CAP, wait_after
from agent.client import ControlPlane
from agent.jobs.failure import REPORT_REFUSED, REPORT_TOO_LARGE
from agent.jobs.outbox import Outbox
from agent.loops.timing import Timing
from agent.racing import Interrupted, unless
from agent.refusals import Unreachable
from shared.errors import ErrorCode, StaleLease, TranscoderError
from shared.protocol import Failed, Outcome, ReportRequest

log = structlog.get_logger()


class Reports:
    def __init__(
        self,
        client: ControlPlane,
        outbox: Outbox,
        *,
        timing: Timing,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._timing = timing
        self._pulse = timing.pulse

    async def run(self) -> None:
        """A new report goes at once; those that were not answered wait longer each time. Raises Revoked or ProtocolTooOld."""
        tries = 0
        while True:
            self._outbox.filled.clear()
            unreachable = await self._send_all()
            if unreachable is None:
                tries = 0
                self._pulse.rest("reports")
                await self._outbox.filled.wait()
                continue
            pause = wait_after(tries, self._timing.randomly, unreachable.retry_after)
            tries += 1
            self._pulse.promise("reports", pause)
            with contextlib.suppress(Interrupted):
                await unless(self._outbox.filled.wait(), self._pause(pause))

    async def _send_all(self) -> Unreachable | None:
        """Each once, unless nobody is there: a report that the control plane cannot take now must not hold up the others."""
        unreachable = None
        for ref in await self._outbox.discard_expired():
            log.error("report.given_up", task_id=ref.task_id, attempt=ref.attempt)
        for report in self._outbox.reports():
            self._pulse.promise("reports", CAP)
            try:
                await self._send(report)
            except Unreachable as error:
                log.info("report.waits", task_id=report.ref.task_id, attempt=report.ref.attempt, reason=str(error))
                unreachable = error
                if not error.was_heard:
                    break
        return unreachable

    async def _send(self, report: ReportRequest) -> None:
        """Answered means done with, whatever the answer is: a refusal would be the same tomorrow.

        Of work whose report is refused, that much is reported.
        """
        bound = log.bind(task_id=report.ref.task_id, attempt=report.ref.attempt, outcome=report.outcome.type)
        try:
            answer = await self._client.report(report)
            bound.info("report.accepted", task_state=answer.task_state)
        except StaleLease:
            bound.info("report.stale")
        except TranscoderError as error:
            bound.error("report.refused", code=error.code, reason=error.detail)
            if report != (plain := plainly(report, error.code)):
                await self._outbox.put(plain)
                return
        await self._outbox.discard(report.ref)

    async def _pause(self, seconds: float) -> None:
        await self._timing.sleep(seconds)


def plainly(report: ReportRequest, refused_as: ErrorCode) -> ReportRequest:
    """What can be said of an attempt whose report is refused: the same without what was said meanwhile where there was too much
    of it, or that it failed. What is plain already stays as it is."""
    if refused_as is ErrorCode.TOO_LARGE and (report.events or report.log):
        return report.model_copy(update={"events": (), "log": None})
    if report.outcome.type == "finished" or (isinstance(report.outcome, Failed) and report.outcome.inputs):
        failure = REPORT_TOO_LARGE if refused_as is ErrorCode.TOO_LARGE else REPORT_REFUSED
        outcome: Outcome = Failed(failure=failure)
    else:
        outcome = report.outcome
    return ReportRequest(ref=report.ref, outcome=outcome)
