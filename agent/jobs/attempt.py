"""One lease while it is worked on: how far it is, and whether somebody ended it and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from agent.jobs.tail import Tail
from agent.process import StopRequest
from shared.failures import Failure
from shared.ids import JobId
from shared.protocol import AttemptEvent, AttemptProgress, AttemptRef, OutputProgress, Progress, StartTask
from shared.statuses import JobStatus, Phase

SPANS: Final[Mapping[Phase, tuple[float, float]]] = {
    Phase.FETCHING: (0.0, 3.0),
    Phase.PROBING: (3.0, 4.0),
    Phase.ENCODING: (4.0, 94.0),
    Phase.VERIFYING: (94.0, 96.0),
    Phase.UPLOADING: (96.0, 99.5),
    Phase.PUBLISHING: (99.5, 99.9),
}
"""What part of an attempt each phase is said to be, in percent; 100 comes only with the report."""

MOST_EVENTS: Final = 100


class EndReason(StrEnum):
    """Why an attempt is ended from outside; recorded before anything is stopped."""

    STOPPED = "stopped"
    DROPPED = "dropped"
    HANDED_BACK = "handed_back"
    STORAGE_FULL = "storage_full"


class Attempt:
    def __init__(self, order: StartTask) -> None:
        self.order = order
        self.gpu: int | None = None
        self.stop = StopRequest()
        self.progress = Progress(phase=Phase.FETCHING, percent=0)
        self.ended: EndReason | None = None
        self.ended_because = ""
        self.is_reported = False
        self.events: list[AttemptEvent] = []
        self.tail = Tail()

    @property
    def ref(self) -> AttemptRef:
        return self.order.ref

    @property
    def job_id(self) -> JobId:
        return self.order.job_id

    @property
    def told(self) -> AttemptProgress:
        return AttemptProgress(ref=self.ref, progress=self.progress, events=tuple(self.events))

    def end(self, reason: EndReason, because: str = "") -> None:
        """The first reason stands, except that a lease which is gone beats every other."""
        if self.ended is None or reason is EndReason.DROPPED:
            self.ended, self.ended_because = reason, because
            self.tail.remark(f"ended from outside: {reason.replace('_', ' ')}")
        self.stop.ask(at_once=reason is EndReason.STORAGE_FULL)

    def note(self, event: AttemptEvent) -> None:
        """Something for the job's history; beyond so many, nobody would read it."""
        if len(self.events) < MOST_EVENTS:
            self.events.append(event)

    def reach(
        self,
        phase: Phase,
        fraction: float = 0.0,
        *,
        fps: float | None = None,
        speed: float | None = None,
        eta: float | None = None,
        encoder: str | None = None,
    ) -> None:
        """Note how far it is: `fraction` of the phase. What is told never goes back."""
        if phase is not self.progress.phase:
            self.tail.remark(phase)
        self.progress = Progress(
            phase=phase,
            percent=max(self.progress.percent, percent_of(phase, fraction)),
            fps=fps,
            speed=speed,
            eta=eta,
            encoder=encoder or self.progress.encoder,
            outputs=self.progress.outputs,
        )

    def begin(self, outputs: Iterable[int]) -> None:
        """They are worked on from now on; for one that was worked on before nothing changes."""
        begun = {each.index for each in self.progress.outputs}
        self._tell(*(OutputProgress(index=at, status=JobStatus.PROGRESSING) for at in outputs if at not in begun))

    def end_output(self, index: int, failure: Failure | None = None) -> None:
        """It is made and verified, or failed."""
        status = JobStatus.COMPLETE if failure is None else JobStatus.ERROR
        self._tell(OutputProgress(index=index, status=status, failure=failure))

    def _tell(self, *news: OutputProgress) -> None:
        told = {each.index: each for each in (*self.progress.outputs, *news)}
        self.progress = self.progress.model_copy(update={"outputs": tuple(told[index] for index in sorted(told))})


def percent_of(phase: Phase, fraction: float) -> float:
    start, end = SPANS[phase]
    return round(start + (end - start) * min(1.0, max(0.0, fraction)), 2)
