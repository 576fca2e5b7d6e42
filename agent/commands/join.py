"""`transcoder agent join`: buy an identity with a one-time token, and install the service where there is systemd."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import IO

import click

from agent.client import ProtocolTooOld, Revoked, Unreachable, enrol
from agent.commands.group import ExitCode, agent, config_option, read_settings, refusal, state_option, trust
from agent.identity import Identity, is_joined, remember
from agent.installation import InstallationError, install_agent, is_booted
from agent.settings import Settings
from shared.errors import TranscoderError
from shared.protocol import EnrolRequest


@agent.command(help="Join the control plane at URL as a new node.")
@click.argument("url")
@click.option("--token", envvar="TRANSCODER_JOIN_TOKEN", help="The join token. Others can read it in the process list.")
@click.option("--token-file", type=click.File(), help='File with the join token, "-" for standard input.')
@click.option(
    "--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Authorities to trust (PEM)."
)
@click.option("--no-service", is_flag=True, help="Do not install a systemd service.")
@click.option("--again", is_flag=True, help="Replace the identity that this node already has.")
@state_option
@config_option
def join(
    url: str,
    token: str | None,
    token_file: IO[str] | None,
    ca_file: Path | None,
    no_service: bool,
    again: bool,
    state: Path | None,
    config: Path,
) -> None:
    settings = read_settings(config, state=state, ca_file=ca_file)
    secret = token or (token_file.read().strip() if token_file else "")
    if not secret:
        raise click.UsageError("Give the join token with --token-file or --token.")
    if is_joined(settings.state) and not again:
        raise refusal(f"{settings.state} already belongs to a node. With --again it becomes a new one.")
    identity = asyncio.run(_enrol(url, secret, settings))
    click.echo(f"Joined cluster {identity.cluster_id} as node {identity.node_id}.")
    if not no_service and is_booted() and os.geteuid() == 0:
        _install(settings)


async def _enrol(url: str, token: str, settings: Settings) -> Identity:
    request = EnrolRequest(join_token=token, hostname=socket.gethostname())
    try:
        answer = await enrol(url, request, tls=trust(settings))
    except Unreachable as error:
        raise refusal(f"{url} cannot be reached: {error}") from error
    except Revoked as error:
        raise refusal(f"The join token was refused: {error}", ExitCode.REVOKED) from error
    except ProtocolTooOld as error:
        raise refusal(f"This agent is too old for the control plane: {error}", ExitCode.PROTOCOL_TOO_OLD) from error
    except TranscoderError as error:
        raise refusal(error.detail) from error
    return remember(settings.state, url, answer, ca_file=settings.ca_file)


def _install(settings: Settings) -> None:
    try:
        install_agent(settings.state)
    except InstallationError as error:
        raise refusal(f"The node has joined, but the service is not installed. {error}") from error
    click.echo("Installed and started transcoder-agent.service.")
