"""The strongest confinement that works is used; none only when told so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.process import Exit, OnStdout
from agent.sandbox.choice import choose, first_that_works
from agent.sandbox.port import ConfinementError, Limits


class Stub:
    def __init__(self, name: str, reason: str | None) -> None:
        self.name = name
        self._reason = reason

    async def check(self) -> str | None:
        return self._reason

    async def run(
        self, argv: Sequence[str], *, workspace: Path, limits: Limits, on_stdout: OnStdout, **others: object
    ) -> Exit:
        return Exit(code=0)


WORKS, BROKEN = Stub("systemd", None), Stub("bubblewrap", "no namespaces")


async def test_the_first_that_works_is_used():
    assert await first_that_works([BROKEN, WORKS], insecure=False) is WORKS


async def test_without_any_the_agent_refuses_and_says_why():
    with pytest.raises(ConfinementError, match=r"bubblewrap: no namespaces.*--insecure-unconfined"):
        await first_that_works([BROKEN], insecure=False)


async def test_told_so_it_runs_unconfined_and_says_so_loudly():
    with capture_logs() as logs:
        sandbox = await first_that_works([BROKEN], insecure=True)
    assert sandbox.name == "none"
    assert [entry["log_level"] for entry in logs][-1] == "critical"


async def test_being_allowed_to_be_insecure_is_no_reason_to_be():
    assert await first_that_works([WORKS], insecure=True) is WORKS


async def test_without_encode_units_it_is_bubblewrap(tmp_path: Path):
    assert (await choose(workspaces=tmp_path, sockets=tmp_path)).name == "bubblewrap"
