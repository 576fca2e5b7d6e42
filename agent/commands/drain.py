"""`transcoder agent drain` and `resume`: the owner's word, kept by the control plane, so that it outlives every restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

from agent.client import ControlPlane
from agent.commands.group import agent, config_option, control_plane, read_settings, state_option, told
from shared.statuses import NodeState

_LOOK: Final = 0.5
_PATIENCE: Final = 24 * 3600.0


@agent.command(help="Take no new work; what runs goes on. Operators see it, and the last word counts: theirs or yours.")
@click.option("--wait", is_flag=True, help="Return when nothing runs any more.")
@state_option
@config_option
def drain(wait: bool, state: Path | None, config: Path) -> None:
    settings = read_settings(config, state=state)

    async def say() -> NodeState:
        async with control_plane(settings) as client:
            now = await client.set_draining(True)
            return await _drained(client) if wait else now

    click.echo(told(say()))


@agent.command(help="Take work again.")
@state_option
@config_option
def resume(state: Path | None, config: Path) -> None:
    settings = read_settings(config, state=state)

    async def say() -> NodeState:
        async with control_plane(settings) as client:
            return await client.set_draining(False)

    click.echo(told(say()))


async def _drained(client: ControlPlane) -> NodeState:
    """Until the control plane has heard the end of everything, or somebody said otherwise meanwhile."""
    while (now := (await client.persistently(client.check, patience=_PATIENCE)).state) is NodeState.DRAINING:  # noqa: ASYNC110 (another machine tells)
        await asyncio.sleep(_LOOK)
    return now
