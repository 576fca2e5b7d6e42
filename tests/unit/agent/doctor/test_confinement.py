"""Whether ffmpeg is really shut in: with the real ffmpeg, confined and not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from agent.doctor import Verdict
from agent.doctor.confinement import check
from agent.sandbox import ConfinementError, Exit, Limits, OnStdout, StopRequest
from agent.sandbox.bubblewrap import Bubblewrap
from agent.sandbox.none import Unconfined
from tests.needs import needs
from tests.unit.agent.doctor.subjects import a_subject, only


@needs(shutil.which("bwrap") is not None, "bubblewrap is not installed")
async def test_bubblewrap_holds(tmp_path: Path) -> None:
    sandbox = Bubblewrap()
    assert await sandbox.check() is None
    only(await check(a_subject(tmp_path, sandbox=sandbox)), Verdict.GOOD, "no other file and no network")
    assert list((tmp_path / "state" / "work").iterdir()) == []


async def test_a_sandbox_that_holds_nothing_back_is_found_out(tmp_path: Path) -> None:
    found = await check(a_subject(tmp_path, sandbox=Unconfined()))
    only(found, Verdict.FAILURE, "reads files of this machine", "reaches the network")


async def test_an_owner_who_wants_no_confinement_is_warned(tmp_path: Path) -> None:
    subject = a_subject(tmp_path, sandbox=Unconfined(), settings={"insecure_unconfined": True})
    only(await check(subject), Verdict.WARNING, "reads files of this machine")


class Broken:
    """Runs nothing, or says that it cannot."""

    name = "broken"

    def __init__(self, error: str = "") -> None:
        self._error = error

    async def check(self) -> str | None:
        return None

    async def run(
        self, argv: Sequence[str], *, workspace: Path, limits: Limits, on_stdout: OnStdout, stop: StopRequest
    ) -> Exit:
        if self._error:
            raise ConfinementError(self._error)
        return Exit(1, stderr=b"Permission denied")


async def test_a_sandbox_that_shuts_out_the_work_itself_fails(tmp_path: Path) -> None:
    found = await check(a_subject(tmp_path, sandbox=Broken()))
    only(found, Verdict.FAILURE, "not even its own workspace")


async def test_a_sandbox_that_does_not_start_fails(tmp_path: Path) -> None:
    found = await check(a_subject(tmp_path, sandbox=Broken("The encode unit does not answer.")))
    only(found, Verdict.FAILURE, "The encode unit does not answer.")


async def test_a_machine_that_cannot_confine_fails_with_the_reason(tmp_path: Path) -> None:
    subject = a_subject(tmp_path, unconfined_because="bubblewrap is not installed")
    object.__setattr__(subject, "sandbox", None)
    only(await check(subject), Verdict.FAILURE, "bubblewrap is not installed")
