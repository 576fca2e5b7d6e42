"""`transcoder agent doctor`: whether this node can do its work. One check per file; each tries, none assumes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from agent.doctor import (
    clock,
    confinement,
    control_plane,
    devices,
    driver,
    ffmpeg,
    nvenc,
    scratch,
    state,
    storage,
    tls,
)
from agent.doctor.finding import Finding, Verdict, failure
from agent.doctor.subject import Heard, Subject

__all__ = ["CHECKS", "Finding", "Heard", "Subject", "Verdict", "examine"]

Check = Callable[[Subject], Awaitable[list[Finding]]]

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("state", state.check),
    ("scratch", scratch.check),
    ("confinement", confinement.check),
    ("ffmpeg", ffmpeg.check),
    ("driver", driver.check),
    ("devices", devices.check),
    ("nvenc", nvenc.check),
    ("control plane", control_plane.check),
    ("tls", tls.check),
    ("clock", clock.check),
    ("storage", storage.check),
)


async def examine(subject: Subject, checks: tuple[tuple[str, Check], ...] = CHECKS) -> list[Finding]:
    """All of it: a check that breaks is a finding too, and hides no other."""
    found: list[Finding] = []
    for name, check in checks:
        try:
            findings = await check(subject)
        except Exception as error:
            findings = [failure(f"the check itself broke: {type(error).__name__}: {error}", "report this")]
        found += [finding.model_copy(update={"check": name}) for finding in findings]
    return found
