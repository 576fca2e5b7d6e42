"""`transcoder agent config`: what the agent would run with."""

from __future__ import annotations

from pathlib import Path

from agent import settings
from agent.commands.group import agent, config_option, read_settings, state_option
from shared import configuration


@agent.group(help="The agent's settings.")
def config() -> None:
    """Commands register below."""


@config.command(help="All settings as the agent would have them, started like this.")
@config_option
@state_option
@configuration.origin_option
@configuration.format_option
def show(config: Path, state: Path | None, with_origin: bool, format_: str) -> None:
    chosen, found = read_settings(config, state=state), settings.origins(config, state=state)
    configuration.show(chosen, found, with_origin=with_origin, format_=format_)
