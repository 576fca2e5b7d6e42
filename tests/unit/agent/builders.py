"""Values for tests, which say only what matters to them."""

from __future__ import annotations

import asyncio

from shared.capacity import Capacity
from shared.failures import Cause, Failure, FailureCode
from shared.ids import Attempt, JobId, LeaseId, TaskId
from shared.jobspec import AudioCodec, AudioSettings, Container, Settings, VideoCodec, VideoSettings
from shared.protocol import (
    AttemptRef,
    Failed,
    InputSpec,
    Outcome,
    OutputSpec,
    PartSpec,
    ReportRequest,
    StartTask,
    Stopped,
    TranscodeFile,
)

GIB = 1 << 30


class StillClock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    def worked(self) -> float:
        return 0.0


class Sleeps:
    """A sleep that moves the clock, notes how long it was asked for, and lets others run."""

    def __init__(self, clock: StillClock | None = None) -> None:
        self.clock = clock or StillClock()
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.clock.seconds += seconds
        await asyncio.sleep(0)


def a_ref(task: str = "tk_1", attempt: int = 1) -> AttemptRef:
    return AttemptRef(task_id=TaskId(task), attempt=Attempt(attempt), lease_id=LeaseId(f"lease-{task}-{attempt}"))


def mp4_settings(*, height: int = 480) -> Settings:
    return Settings(
        container=Container.MP4,
        video=VideoSettings(codec=VideoCodec.H264, bit_rate=600_000, max_height=height),
        audio=AudioSettings(codec=AudioCodec.AAC, bit_rate=96_000),
    )


def an_output(index: int = 0, *, settings: Settings | None = None) -> OutputSpec:
    return OutputSpec(index=index, key=f"out/{index}.mp4", settings=settings or mp4_settings())


def a_start(
    task: str = "tk_1",
    *,
    attempt: int = 1,
    inputs: tuple[InputSpec, ...] = (),
    outputs: tuple[OutputSpec, ...] = (),
    threads: int = 1,
    scratch: int = GIB,
    memory: int = 0,
    nvenc_sessions: int = 0,
    parts: tuple[PartSpec, ...] = (PartSpec(),),
) -> StartTask:
    return StartTask(
        ref=a_ref(task, attempt),
        job_id=JobId(f"job-of-{task}"),
        inputs=inputs,
        payload=TranscodeFile(outputs=outputs or (an_output(),), parts=parts),
        cpu_threads=threads,
        scratch=scratch,
        memory=memory,
        nvenc_sessions=nvenc_sessions,
    )


def a_capacity(*, threads: int = 4, memory: int = 8 * GIB, scratch: int = 100 * GIB) -> Capacity:
    return Capacity(cpu_threads=threads, memory=memory, scratch=scratch)


def a_failure(cause: Cause = Cause.UNKNOWN) -> Failure:
    return Failure(cause=cause, code=FailureCode.INTERNAL, message="It failed.")


def a_report(task: str = "tk_1", outcome: Outcome | None = None) -> ReportRequest:
    return ReportRequest(ref=a_ref(task), outcome=outcome or Stopped())


def failed(cause: Cause) -> Failed:
    return Failed(failure=a_failure(cause))
