"""transcoder server: run it, set it up."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import uvloop
from pydantic import ValidationError

from controlplane import settings
from controlplane.app import open_store
from controlplane.server import configure_logging, serve
from controlplane.services.tenants import Tenants
from shared.clock import SystemClock
from shared.errors import TranscoderError

_config = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help=f"Settings; {settings.DEFAULT_FILE} by default."
)


@click.group()
def server() -> None:
    """Run and set up the control plane."""


@server.command()
@_config
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="0 takes a free one.")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Where everything is kept.")
def run(config: Path | None, host: str | None, port: int | None, state: Path | None) -> None:
    """Serve until TERM."""
    configure_logging()
    chosen = load_settings(config, host=host, port=port, state=state)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    try:
        uvloop.run(serve(chosen, credentials_directory=Path(directory) if directory else None))
    except (TranscoderError, OSError) as error:
        raise click.ClickException(str(error)) from error


@server.command()
@_config
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Where everything is kept.")
def init(config: Path | None, state: Path | None) -> None:
    """Make an operator and print the operator's key, once; the database too, where there is none. The service must be down."""
    click.echo(asyncio.run(_make_operator(load_settings(config, state=state))))


@server.command()
def install() -> None:
    """Install the systemd unit and start it; `transcoder server init` before makes the first operator."""
    from controlplane import installation  # only here: nothing else needs it

    installation.install_controlplane()
    click.echo("transcoder-controlplane.service is installed and running.", err=True)


def load_settings(config: Path | None, **given: object) -> settings.Settings:
    """Exits with a sentence for each setting that is wrong."""
    try:
        return settings.load(config, **given)
    except FileNotFoundError as error:
        raise click.ClickException(f"There is no file {error}.") from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise click.ClickException("\n".join(lines)) from error


async def _make_operator(chosen: settings.Settings) -> str:
    store = await open_store(chosen)
    try:
        return await Tenants(store, SystemClock()).create_operator("init")
    finally:
        await store.close()
