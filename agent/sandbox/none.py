"""No confinement: for machines whose owner said so, and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from agent import process
from agent.feeders import Feeder
from agent.process import LADDER, Exit, Ladder, OnStderr, OnStdout, StopRequest, unheard
from agent.sandbox.port import ENVIRONMENT, Limits, require_programs, rlimits, sweep, trial
from agent.vigil import Vigil


class Unconfined:
    """ffmpeg with its limits, but with the network and every file of the agent's user."""

    name = "none"

    def __init__(self, *, environment: Mapping[str, str] = ENVIRONMENT, ladder: Ladder = LADDER) -> None:
        self._environment = environment
        self._ladder = ladder

    async def check(self) -> str | None:
        return await trial(self)

    async def run(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        limits: Limits,
        on_stdout: OnStdout,
        stop: StopRequest,
        on_stderr: OnStderr = unheard,
        vigil: Vigil | None = None,
        feeders: Sequence[Feeder] = (),
    ) -> Exit:
        require_programs(argv, *(feeder.argv for feeder in feeders))
        try:
            return await process.run(
                [*rlimits(limits), *argv],
                cwd=workspace,
                env=self._environment,
                on_stdout=on_stdout,
                stop=stop,
                on_stderr=on_stderr,
                vigil=vigil,
                feeders=[replace(feeder, argv=[*rlimits(limits), *feeder.argv]) for feeder in feeders],
                wall_time=limits.wall_time,
                ladder=self._ladder,
            )
        finally:
            sweep(workspace)
