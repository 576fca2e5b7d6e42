"""`transcoder agent install`: the units anew, after an upgrade or when a card was plugged in."""

from __future__ import annotations

from pathlib import Path

import click

from agent.commands.group import agent, config_option, read_settings, refusal, state_option
from agent.identity import is_joined
from agent.installation import InstallationError, install_agent


@agent.command(
    help="Install the systemd units anew. Needs root.\n\nAfter an upgrade, or for a new card; the service is restarted."
)
@state_option
@config_option
def install(state: Path | None, config: Path) -> None:
    settings = read_settings(config, state=state)
    if not is_joined(settings.state):
        raise refusal(f"{settings.state} belongs to no node: `transcoder agent join` installs the service.")
    try:
        install_agent(settings.state)
    except (InstallationError, OSError) as error:
        raise refusal(str(error)) from error
    click.echo("Installed and started transcoder-agent.service.")
