"""`transcoder agent join`: buy an identity with a one-time token, and install the service where there is systemd."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from typing import IO, NamedTuple

import click
from pydantic import TypeAdapter, ValidationError
from yarl import URL

from agent import client
from agent.client import LOOPBACK, enrol
from agent.commands.group import agent, config_option, read_settings, refusal, state_option, told, trust
from agent.identity import Identity, is_joined, remember
from agent.installation import InstallationError, install_agent, is_booted, require_installable
from agent.settings import LabelKey, LabelValue, Settings
from shared.join_token import PREFIX, JoinToken, vouched_for
from shared.protocol import EnrolRequest

_LABELS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[LabelKey, LabelValue])


@agent.command(help="Join the control plane at URL as a new node.")
@click.argument("url")
@click.option("--token", envvar="TRANSCODER_JOIN_TOKEN", help="The join token. Others can read it in the process list.")
@click.option("--token-file", type=click.File(), help='File with the join token, "-" for standard input.')
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Authorities to trust (PEM); by default the one whose fingerprint the token carries, else the system's.",
)
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="A property that jobs may ask for. Repeatable."
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
    labels: tuple[str, ...],
    no_service: bool,
    again: bool,
    state: Path | None,
    config: Path,
) -> None:
    settings = read_settings(config, state=state, ca_file=ca_file)
    given = JoinToken.parse(token or (token_file.read() if token_file else ""))
    if not given.secret:
        raise click.UsageError("Give the join token with --token-file or --token.")
    if not given.secret.startswith(PREFIX):
        raise click.UsageError(
            f"This is no join token: they begin with {PREFIX}. An operator makes one: transcoder nodes join-token CLUSTER."
        )
    if is_joined(settings.state) and not again:
        raise refusal(f"{settings.state} already belongs to a node. With --again it becomes a new one.")
    is_service = not no_service and is_booted() and os.geteuid() == 0
    if given.authority is None and (URL(url).scheme not in ("http", "https") or not URL(url).host):
        raise click.UsageError(f"{url!r} is no address of a control plane: begin it with https://.")
    named = _labels(labels)
    _check(settings, is_service=is_service)
    identity = told(_enrol(url, given, settings, named), whom=url, shown="the join token")
    click.echo(f"Joined cluster {identity.cluster_id} as node {identity.node_id}.")
    if is_service:
        _install(settings)


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    for label in given:
        if "=" not in label:
            raise click.UsageError(f"A label is KEY=VALUE: {label!r} is not.")
    try:
        return _LABELS.validate_python(dict(label.partition("=")[::2] for label in given))
    except ValidationError as error:
        raise click.UsageError(f"A label is KEY=VALUE: {error.errors()[0]['input']!r} is not.") from error


def _check(settings: Settings, *, is_service: bool) -> None:
    """Whatever would fail later fails now: the token is good for one try."""
    try:
        if is_service:
            require_installable(settings.state)
    except InstallationError as error:
        raise refusal(f"The token is not spent. {error}") from error
    nearest = next(path for path in (settings.state, *settings.state.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise refusal(f"The token is not spent. {nearest} cannot be written.")


class _Trust(NamedTuple):
    tls: ssl.SSLContext
    pem: bytes | None
    """The authority to keep; None where the system's are trusted."""


async def _enrol(url: str, token: JoinToken, settings: Settings, labels: dict[str, str]) -> Identity:
    request = EnrolRequest(join_token=token.secret, hostname=socket.gethostname())
    trusted = await _trust(url, token, settings)
    answer = await enrol(url, request, tls=trusted.tls)
    return remember(settings.state, url, answer, ca=trusted.pem, labels=labels)


async def _trust(url: str, token: JoinToken, settings: Settings) -> _Trust:
    """Raises before the token's secret has left: over plain HTTP, or to somebody who only says to be the control plane."""
    if settings.ca_file is not None:
        return _Trust(trust(settings), settings.ca_file.read_bytes())
    if token.authority is None:
        if URL(url).scheme == "http" and URL(url).host not in LOOPBACK:
            click.echo(
                f"Warning: {url} is not encrypted: who listens on the way can take this node's credential.", err=True
            )
        return _Trust(client.trust(), None)
    if not url.startswith("https://"):
        raise refusal(f"The control plane of this token speaks TLS: join https://{url.partition('://')[2] or url}.")
    pem = vouched_for(await client.authority(url), token.authority)
    if pem is None:
        raise refusal(
            f"{url} is not the control plane of this token: its authority has another fingerprint. The token is not spent."
        )
    return _Trust(client.trust(pem=pem), pem)


def _install(settings: Settings) -> None:
    try:
        install_agent(settings.state)
    except InstallationError as error:
        raise refusal(f"The node has joined, but the service is not installed. {error}") from error
    click.echo("Installed and started transcoder-agent.service.")
