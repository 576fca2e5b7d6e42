"""The group, and what its commands have in common."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from enum import IntEnum
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from agent import client
from agent.client import ControlPlane
from agent.identity import NotJoined, authorities, read_credential, read_identity
from agent.refusals import ProtocolTooOld, Revoked, Unreachable
from agent.settings import CONFIG_FILE, Settings, load
from shared import configuration
from shared.errors import TranscoderError

ResultT = TypeVar("ResultT")


class ExitCode(IntEnum):
    """Of `run`: after a failure another start may fare better, after the others only once somebody has done something."""

    FAILURE = 1
    PROTOCOL_TOO_OLD = 76  # EX_PROTOCOL
    REVOKED = 77  # EX_NOPERM
    MISCONFIGURED = 78  # EX_CONFIG


def refusal(message: str, code: ExitCode = ExitCode.FAILURE) -> click.ClickException:
    """Why the command does not do it, with the exit code that says so."""
    refused = click.ClickException(message)
    setattr(refused, "exit_code", int(code))  # noqa: B010 (click declares it for the class, and reads it from the instance)
    return refused


@click.group(help="The edge node: join a control plane, run, look at what runs.")
def agent() -> None:
    """Commands register below."""


def state_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        help="Directory of everything the agent keeps.  [default: /var/lib/transcoder/agent]",
    )(command)


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="json: one document.",
    )(command)


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        default=CONFIG_FILE,
        show_default=True,
        help="TOML file with settings.",
    )(command)


def read_settings(config: Path, **arguments: Any) -> Settings:
    try:
        return load(config, **arguments)
    except (ValidationError, TOMLDecodeError) as error:
        raise refusal(configuration.faults(error, config), ExitCode.MISCONFIGURED) from error


def control_plane(settings: Settings) -> ControlPlane:
    """The node's own way to its control plane."""
    try:
        identity = read_identity(settings)
        return ControlPlane(identity.url, read_credential(settings), tls=trust(settings))
    except NotJoined as error:
        raise refusal(str(error), ExitCode.MISCONFIGURED) from error


def told(
    call: Coroutine[Any, Any, ResultT], *, whom: str = "The control plane", shown: str = "this node's credential"
) -> ResultT:
    """Runs one call; what can go wrong is said in a sentence. `shown` is by what this machine is known."""
    try:
        return asyncio.run(call)
    except Unreachable as error:
        raise refusal(f"{whom} cannot be reached: {error}") from error
    except Revoked as error:
        raise refusal(f"The control plane refuses {shown}: {error}", ExitCode.REVOKED) from error
    except ProtocolTooOld as error:
        raise refusal(f"This agent is too old for the control plane: {error}", ExitCode.PROTOCOL_TOO_OLD) from error
    except TranscoderError as error:
        raise refusal(error.detail) from error


def trust(settings: Settings) -> ssl.SSLContext:
    ca_file = authorities(settings)
    try:
        return client.trust(ca_file)
    except OSError as error:
        raise refusal(f"{ca_file} cannot be used: {error}", ExitCode.MISCONFIGURED) from error
