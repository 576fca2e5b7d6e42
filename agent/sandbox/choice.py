"""Which confinement this agent uses: the strongest that works here, and none only when told so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from agent.sandbox.bubblewrap import Bubblewrap
from agent.sandbox.none import Unconfined
from agent.sandbox.port import ConfinementError, Sandbox
from agent.sandbox.units import SOCKETS, Units

log = structlog.get_logger()


async def choose(
    *, workspaces: Path, insecure: bool = False, sockets: Path = SOCKETS, is_alone: bool = True
) -> Sandbox:
    """Units where the agent has them, else bubblewrap. `workspaces` is the directory in which every workspace lies.

    Who is not alone there, because the agent runs, clears nothing away.
    """
    units = Units(workspaces=workspaces, sockets=sockets, is_alone=is_alone)
    return await first_that_works([units, Bubblewrap()], insecure=insecure)


async def first_that_works(candidates: Sequence[Sandbox], *, insecure: bool) -> Sandbox:
    reasons = []
    for sandbox in candidates:
        reason = await sandbox.check()
        if reason is None:
            log.info("sandbox.chosen", confinement=sandbox.name)
            return sandbox
        reasons.append(f"{sandbox.name}: {reason}")
        log.info("sandbox.does_not_work", confinement=sandbox.name, reason=reason)
    if insecure:
        log.critical(
            "sandbox.none", warning="ffmpeg runs UNCONFINED: a hostile media file owns all that this user may touch"
        )
        return Unconfined()
    raise ConfinementError(
        f"ffmpeg cannot be confined here ({'; '.join(reasons)}). Told `--insecure-unconfined`, the agent starts nevertheless."
    )
