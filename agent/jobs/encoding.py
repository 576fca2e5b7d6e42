"""The passes of a plan, one after the other, and what is done where one fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from agent.jobs.attempt import Attempt
from agent.jobs.failure import AttemptFailed
from agent.jobs.passes import encode_time, encoders_of, failure_of, means_of, shares
from agent.jobs.running import Running
from agent.jobs.slots import Slots
from agent.jobs.workspace import Workspace
from agent.media import UNEVEN, Pass, PlannedOutput, ProgressParser, Sample, evenly, instead, split
from agent.sandbox import Exit
from agent.vigil import Stage
from shared.clock import Clock
from shared.failures import Cause, Failure, FailureReason
from shared.jobspec import HardwarePreference
from shared.protocol import Fallback, Split, TranscodeFile
from shared.statuses import Phase

FINISHING_FROM: Final = 99.5
"""Percent of the media, from which on ffmpeg is silent while it writes indexes."""
THREADS_PER_RENDITION: Final = 2

log = structlog.get_logger()


class Encoding:
    """`made` is told of every output that ffmpeg says it made, `fail` of those that cannot be."""

    def __init__(
        self,
        attempt: Attempt,
        task: TranscodeFile,
        space: Workspace,
        running: Running,
        *,
        slots: Slots,
        clock: Clock,
        made: Callable[[PlannedOutput, Exit], Awaitable[None]],
        fail: Callable[[int, Failure], None],
    ) -> None:
        self._attempt = attempt
        self._task = task
        self._space = space
        self._running = running
        self._slots = slots
        self._clock = clock
        self._made = made
        self._fail = fail
        self.seconds = 0.0
        """Wall time in ffmpeg so far."""

    async def all(self, passes: Sequence[Pass]) -> None:
        done = 0.0
        for encode, share in zip(passes, shares(passes), strict=True):
            await self.run(encode, done=done, share=share)
            done += share

    async def run(self, encode: Pass, *, done: float, share: float) -> None:
        """One ffmpeg. What a card fails at is made by other means; else its outputs are made one by one. An input that
        becomes another kind midway is made one kind before.

        Either way what other passes finished stays, and only the guilty output fails.
        """
        before = self._space.files()
        ended, is_uneven = await self._encoded(encode, done=done, share=share)
        if is_uneven and not encode.programme.is_uneven:
            self._space.keep_only(before)
            await self._even(encode, done=done, share=share)
            return
        if ended.is_success:
            for output in encode.outputs:
                await self._made(output, ended)
            return
        self._space.keep_only(before)
        failure = failure_of(ended)
        reason = failure.reason or FailureReason.UNKNOWN
        outputs = tuple(output.index for output in encode.outputs)
        log.warning("pass.failed", outputs=outputs, reason=reason, cause=failure.cause, encoders=encoders_of(encode))
        if (other := self._by_other_means(encode, reason)) is not None:
            self._attempt.note(
                Fallback(outputs=outputs, encoder=encoders_of(encode), instead=means_of(other), reason=reason)
            )
            await self.run(other, done=done, share=share)
            return
        if failure.cause is Cause.NODE or reason is FailureReason.STALLED:
            raise AttemptFailed(failure)
        if len(encode.outputs) == 1:
            self._fail(encode.outputs[0].index, failure)
            return
        self._attempt.note(Split(outputs=outputs, reason=reason))
        parts = split(encode)
        for number, part in enumerate(parts):
            await self.run(part, done=done + share * number / len(parts), share=share / len(parts))

    async def _even(self, encode: Pass, *, done: float, share: float) -> None:
        even = evenly(encode)
        if even is None:
            for output in encode.outputs:
                self._fail(output.index, UNEVEN)
            return
        self._attempt.tail.remark("the input becomes another kind midway: made one kind before")
        await self.run(even, done=done, share=share)

    def _by_other_means(self, encode: Pass, reason: FailureReason) -> Pass | None:
        """What the card is not asked for again; software gets what threads are idle."""
        if not encode.is_on_gpu:
            return None
        self._slots.learn(self._attempt.ref, reason)
        is_required = self._task.hardware is HardwarePreference.REQUIRE
        other = instead(encode, reason, software_threads=0 if is_required else self._attempt.order.cpu_threads)
        if other is None or other.is_on_gpu:
            return other
        threads = self._slots.widen(self._attempt.ref, THREADS_PER_RENDITION * len(encode.outputs))
        return instead(encode, reason, software_threads=threads)

    async def _encoded(self, encode: Pass, *, done: float, share: float) -> tuple[Exit, bool]:
        """How it ended, and whether its input became another kind midway."""
        encoders = encoders_of(encode)
        self._attempt.reach(Phase.ENCODING, done, encoder=encoders)
        self._attempt.begin(output.index for output in encode.outputs)
        names = ", ".join(str(output.index + 1) for output in encode.outputs)
        self._attempt.tail.remark(f"output {names} by {encoders} with {encode.threads} threads")
        part = share / len(encode.steps)
        for number, argv in enumerate(encode.steps):
            ended, last = await self._step(argv, encode, done=done + number * part, share=part)
            is_uneven = last is not None and last.began_anew
            if is_uneven or not ended.is_success:
                break
        return ended, is_uneven

    async def _step(
        self, argv: Sequence[str], encode: Pass, *, done: float, share: float
    ) -> tuple[Exit, Sample | None]:
        """How it ended, and the last that it told of its progress."""
        parser = ProgressParser(encode.duration)
        vigil = self._running.vigil()
        reached = 0.0
        last: Sample | None = None

        def told(chunk: bytes) -> None:
            nonlocal last, reached
            sample = parser.feed(chunk)
            if sample is not None:
                last = sample
                if sample.seconds > reached:
                    reached = sample.seconds
                    vigil.step(Stage.FINISHING if sample.percent >= FINISHING_FROM else Stage.WORKING)
                fraction = done + share * sample.percent / 100
                self._attempt.reach(Phase.ENCODING, fraction, fps=sample.fps, speed=sample.speed, eta=sample.eta)

        started = self._clock.monotonic()
        try:
            ended = await self._running.run(
                argv, told, wall_time=encode_time(encode), vigil=vigil, feeders=encode.feeders
            )
        finally:
            self.seconds += self._clock.monotonic() - started
        return ended, last
