"""The life of one attempt, from accept to report. However it goes, nothing of it is left but the report."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import structlog

from agent.client import ControlPlane
from agent.jobs.attempt import Attempt, EndReason
from agent.jobs.disk import used
from agent.jobs.failure import AGENT_FAULT, CONFINEMENT_FAILED, OUTGREW_ITS_ROOM, SCRATCH_FULL, AttemptFailed
from agent.jobs.journal import Entry, Journal
from agent.jobs.outbox import Outbox
from agent.jobs.slots import Slots
from agent.jobs.transcode import Note, Transcode
from agent.jobs.workspace import Workspace, name_of, workspace
from agent.racing import Interrupted, unless
from agent.refusals import Unreachable
from agent.sandbox import ConfinementError, Sandbox
from agent.starts import machine_boot
from agent.vigil import Patience
from shared.clock import Clock
from shared.errors import StaleLease, TranscoderError
from shared.failures import Cause, Failure, FailureReason
from shared.protocol import AttemptRef, Failed, Finished, HandedBack, Outcome, ReportRequest, Stopped, TranscodeFile
from shared.statuses import Phase

log = structlog.get_logger()


class Runner:
    def __init__(
        self,
        *,
        client: ControlPlane,
        sandbox: Sandbox,
        journal: Journal,
        outbox: Outbox,
        work: Path,
        slots: Slots,
        scratch_left: Callable[[], int],
        patience: Patience,
        clock: Clock,
    ) -> None:
        self._client = client
        self._sandbox = sandbox
        self._journal = journal
        self._outbox = outbox
        self._work = work
        self._slots = slots
        self._scratch_left = scratch_left
        self._patience = patience
        self._clock = clock

    def place_of(self, ref: AttemptRef) -> Path:
        """Where its workspace is, if there is one yet."""
        return self._work / name_of(ref)

    async def run(self, attempt: Attempt) -> None:
        """Returns when everything of the attempt is gone and its report, if there is one to make, is in the outbox."""
        with structlog.contextvars.bound_contextvars(
            job_id=attempt.job_id, task_id=attempt.ref.task_id, attempt=attempt.ref.attempt
        ):
            try:
                if await self._is_accepted(attempt):
                    await self._run_accepted(attempt)
            except Exception as error:
                log.exception("attempt.crashed", is_reported=attempt.is_reported)
                if not attempt.is_reported:
                    await self._report(attempt, _failed(SCRATCH_FULL if _tells_full_disk(error) else AGENT_FAULT))

    async def hand_back(self, attempt: Attempt, because: str) -> None:
        """Give back what was never begun."""
        attempt.end(EndReason.HANDED_BACK, because)
        await self._report(attempt, None)

    async def _is_accepted(self, attempt: Attempt) -> bool:
        """Whether the lease is ours to work on. When nobody answers it is given back: the answer may have been lost."""
        try:
            await unless(attempt.stop.wait(), self._client.accept(attempt.ref))
        except (StaleLease, TranscoderError) as error:
            log.info("attempt.not_accepted", code=error.code)
            return False
        except Unreachable:
            attempt.end(EndReason.HANDED_BACK, "The control plane did not answer the accept.")
        except Interrupted:
            pass
        else:
            log.info("attempt.accepted")
            return True
        await self._report(attempt, None)
        return False

    async def _run_accepted(self, attempt: Attempt) -> None:
        """The report goes out before the workspace is cleared away: nobody need wait for that."""
        entry = Entry(ref=attempt.ref, job_id=attempt.job_id, since_ms=self._clock.now_ms(), machine=machine_boot())

        async def note(phase: Phase) -> None:
            await self._journal.note(entry.model_copy(update={"phase": phase}))

        await self._journal.note(entry)
        try:
            async with workspace(self._work, attempt.ref) as space:
                outcome = await self._outcome(attempt, space, note)
                if tells_full_scratch(attempt, outcome):
                    outcome = blamed(attempt, await asyncio.to_thread(used, space.root))
                await self._report(attempt, outcome)
        finally:
            await self._journal.close(attempt.ref)

    async def _outcome(self, attempt: Attempt, space: Workspace, note: Note) -> Outcome | None:
        """What came of it by itself; None when it was ended from outside before anything did."""
        match attempt.order.payload:
            case TranscodeFile() as task:
                work = Transcode(
                    attempt,
                    task,
                    space,
                    note=note,
                    client=self._client,
                    sandbox=self._sandbox,
                    slots=self._slots,
                    scratch_left=self._scratch_left,
                    patience=self._patience,
                    clock=self._clock,
                )
            case unknown:
                assert_never(unknown)
        try:
            return await work.run()
        except Interrupted:
            return None
        except StaleLease:
            attempt.end(EndReason.DROPPED)
            return None
        except AttemptFailed as failed:
            return Failed(failure=failed.failure, inputs=work.detected, encode_seconds=work.encode_seconds)
        except ConfinementError as error:
            log.error("attempt.unconfined", reason=str(error))
            return _failed(CONFINEMENT_FAILED)
        except OSError as error:
            if not _tells_full_disk(error):
                raise
            return _failed(SCRATCH_FULL)

    async def _report(self, attempt: Attempt, outcome: Outcome | None) -> None:
        reported = what_to_report(attempt, outcome)
        log.info("attempt.ended", outcome=reported.type if reported else "dropped")
        if reported is not None:
            attempt.tail.remark(reported.type.replace("_", " "))
            report = ReportRequest(
                ref=attempt.ref, outcome=reported, events=tuple(attempt.events), log=attempt.tail.told
            )
            await self._outbox.put(report)
            attempt.is_reported = True


def what_to_report(attempt: Attempt, outcome: Outcome | None) -> Outcome | None:
    """What ended it from outside goes before what came of it, but finished work is not given back."""
    match attempt.ended:
        case EndReason.DROPPED:
            return None
        case EndReason.STOPPED:
            return Stopped()
        case EndReason.HANDED_BACK:
            return outcome if isinstance(outcome, Finished) else HandedBack(reason=attempt.ended_because)
        case EndReason.STORAGE_FULL | None:
            return outcome
        case unknown:
            assert_never(unknown)


def tells_full_scratch(attempt: Attempt, outcome: Outcome | None) -> bool:
    if attempt.ended is EndReason.STORAGE_FULL:
        return not isinstance(outcome, Finished)
    if not isinstance(outcome, Failed):
        return False
    return outcome.failure.cause is Cause.NODE and outcome.failure.reason is FailureReason.STORAGE_FULL


def blamed(attempt: Attempt, taken: int) -> Failed:
    """A disk that is full is its node's fault, unless this attempt took more of it than was set aside for it."""
    return _failed(OUTGREW_ITS_ROOM if taken > attempt.order.scratch else SCRATCH_FULL)


def _tells_full_disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _failed(failure: Failure) -> Failed:
    return Failed(failure=failure)
