"""Runs ffmpeg and ffprobe for one attempt: confined, heard, and ended with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from agent.jobs.attempt import Attempt
from agent.jobs.failure import STALLED, TOOK_TOO_LONG, AttemptFailed
from agent.jobs.feeding import piped
from agent.jobs.workspace import Workspace
from agent.media import Feeders
from agent.racing import Interrupted
from agent.sandbox import EndedBy, Exit, Limits, OnStdout, Sandbox
from agent.vigil import Patience, Vigil
from shared.protocol import StartTask

PROBE_TIME: Final = 60.0


class Running:
    def __init__(
        self,
        attempt: Attempt,
        space: Workspace,
        *,
        sandbox: Sandbox,
        scratch_left: Callable[[], int],
        patience: Patience,
    ) -> None:
        self._attempt = attempt
        self._space = space
        self._sandbox = sandbox
        self._scratch_left = scratch_left
        self._patience = patience

    def vigil(self) -> Vigil:
        return Vigil(self._patience)

    async def capture(self, argv: Sequence[str], *, vigil: Vigil | None = None) -> tuple[bytes, Exit]:
        """Run a probe; what it wrote, and how it ended. Under a vigil it may take as long as it gets on."""
        written = bytearray()
        ended = await self.run(argv, written.extend, wall_time=None if vigil else PROBE_TIME, vigil=vigil)
        if ended.ended_by is EndedBy.STALL:
            raise AttemptFailed(STALLED)
        return bytes(written), ended

    async def capture_patiently(self, argv: Sequence[str]) -> tuple[bytes, Exit]:
        return await self.capture(argv, vigil=self.vigil())

    async def run(
        self,
        argv: Sequence[str],
        on_stdout: OnStdout,
        *,
        wall_time: float | None,
        vigil: Vigil | None,
        feeders: Feeders | None = None,
    ) -> Exit:
        limits = limits_of(self._attempt.order, wall_time=wall_time, file_size=self._scratch_left())
        tail = self._attempt.tail
        with piped(self._space, feeders) as beside:
            ended = await self._sandbox.run(
                argv,
                workspace=self._space.root,
                limits=limits,
                on_stdout=on_stdout,
                stop=self._attempt.stop,
                on_stderr=tail.hear,
                vigil=vigil,
                feeders=beside,
            )
        tail.flush()
        if not ended.is_success:
            tail.remark(f"{argv[0]} {how_it_ended(ended)}")
        if self._attempt.stop.is_asked:
            raise Interrupted
        if ended.ended_by is EndedBy.TIME_LIMIT:
            raise AttemptFailed(TOOK_TOO_LONG)
        return ended

    async def make(self, argv: Sequence[str]) -> Exit:
        """Something small, which may take as long as it gets on."""
        return (await self.capture_patiently(argv))[1]


def limits_of(order: StartTask, *, wall_time: float | None, file_size: int) -> Limits:
    """Memory as granted, where the order says so. A file may grow to whatever is left of the disk: granted is a guess."""
    usual = Limits()
    return Limits(
        file_size=file_size,
        memory=order.memory or usual.memory,
        wall_time=min(wall_time or usual.wall_time, usual.wall_time),
    )


def how_it_ended(ended: Exit) -> str:
    if ended.ended_by is not EndedBy.ITSELF:
        return f"was ended: {ended.ended_by.replace('_', ' ')}"
    return f"was killed by signal {ended.signal}" if ended.code is None else f"ended with {ended.code}"
