"""transcoder server: run it, set it up."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import uvloop

from controlplane import backup as backups
from controlplane import certificates, installation, settings
from controlplane.app import open_store
from controlplane.certificates import CertificateError
from controlplane.commands.configured import config_option, load_settings, settings_before_tls, state_option
from controlplane.server import serve
from controlplane.services.acting import ACTING, Acting, who_acts
from controlplane.services.audit import AuditedStore, Sealer
from controlplane.services.tenants import Tenants
from shared import configuration
from shared.clock import SystemClock
from shared.errors import TranscoderError
from shared.logs import log_alarms, log_to_stderr


@click.group()
def server() -> None:
    """Run and set up the control plane."""
    log_alarms()


@server.command()
@config_option
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="0 takes a free one.")
@state_option
@click.option("--behind-proxy", is_flag=True, default=None, help="A proxy in front ends TLS: listen without it.")
def run(config: Path | None, host: str | None, port: int | None, state: Path | None, behind_proxy: bool | None) -> None:
    """Serve until TERM. HUP reads the certificate anew."""
    log_to_stderr(who_acts)
    chosen = load_settings(config, host=host, port=port, state=state, behind_proxy=behind_proxy)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    with _told():
        uvloop.run(serve(chosen, credentials_directory=Path(directory) if directory else None))


@server.command()
@config_option
@state_option
@click.option(
    "--name", "names", multiple=True, help="A name or address by which nodes reach it: makes a certificate. Repeatable."
)
def init(config: Path | None, state: Path | None, names: tuple[str, ...]) -> None:
    """Make an operator and print its key, once.

    The database is made too where there is none. The service must be down.
    """
    chosen = settings_before_tls(config, state)
    _become_owner(chosen.state)
    with _told():
        key = asyncio.run(_set_up(chosen, names))
    click.echo("The operator's key, shown this once:", err=True)
    click.echo(key)


@server.command()
@config_option
@state_option
@click.argument("names", nargs=-1)
def certificate(config: Path | None, state: Path | None, names: tuple[str, ...]) -> None:
    """Make a certificate for NAMES, or renew it.

    Without NAMES it is renewed for those that it has.

    An authority of this service's own signs it, made the first time; its fingerprint travels in join tokens. The service takes
    the certificate up within half a minute, and drops no connection.
    """
    chosen = settings_before_tls(config, state)
    _become_owner(chosen.state)
    _certify(chosen, names)


@server.command()
def install() -> None:
    """Install the systemd unit and start it.

    `transcoder server init` comes before it: that makes the first operator.
    """
    with _told():
        installation.install_controlplane()
    click.echo("transcoder-controlplane.service is installed and running.", err=True)


@server.command()
@config_option
@state_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(config: Path | None, state: Path | None, file: Path) -> None:
    """Back the service up into FILE, while it runs.

    The database and the service's secrets; media are not in it.
    """
    chosen = settings_before_tls(config, state)
    with _told():
        made = backups.back_up(chosen, config or settings.DEFAULT_FILE, file, dt.datetime.now(dt.UTC))
    click.echo(f"{file}: {', '.join(made.digests)}", err=True)


@server.command()
@config_option
@state_option
@click.option("--replace", is_flag=True, help="Put what is there aside.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config: Path | None, state: Path | None, replace: bool, file: Path) -> None:
    """Put the backup in FILE in place of the state. The service must be down."""
    chosen = settings_before_tls(config, state)
    with _told():
        made, aside = backups.restore(chosen, config or settings.DEFAULT_FILE, file, replace=replace)
        with backups.acting_as_owner(chosen.state):
            asyncio.run(backups.begin_anew(chosen))
    click.echo(f"Restored as of {made.made_at:%Y-%m-%d %H:%M:%S} UTC.", err=True)
    for kept in aside:
        click.echo(f"  what was there is in {kept}", err=True)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, in a sentence. What the caller may not read or write has one that is the same in all commands."""
    try:
        yield
    except PermissionError:
        raise
    except (
        backups.BackupError,
        CertificateError,
        installation.InstallationError,
        TranscoderError,
        OSError,
    ) as error:
        raise click.ClickException(str(error)) from error


def _certify(chosen: settings.Settings, names: Sequence[str]) -> None:
    """Tells what was made on standard error: the output is the operator's key."""
    directory = chosen.own_certificates
    with _told():
        made = certificates.make(directory, names, dt.datetime.now(dt.UTC))
    click.echo(f"Certificate for {', '.join(certificates.names_of(made))}", err=True)
    click.echo(
        f"  until {made.not_valid_after_utc:%Y-%m-%d}, renewed by the service while {directory}/ca.key is there",
        err=True,
    )
    click.echo(f"  callers trust it by {directory}/ca.pem (TRANSCODER_CA_FILE); nodes by their join token", err=True)


def _become_owner(state: Path) -> None:
    """Root leaves no files in a service's directory that the service could not write."""
    if os.geteuid() == 0 and state.is_dir():
        owner = state.stat()
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


async def _set_up(chosen: settings.Settings, names: Sequence[str]) -> str:
    """Makes a certificate for `names`, if there are any, and an operator, whose key is returned.

    First the database is opened: a service that has it keeps its certificate. The operator is on record like every other change:
    whoever may write the state made it.
    """
    store, clock = await open_store(chosen), SystemClock()
    sealer = Sealer(store, clock, chosen.seal_interval)
    ACTING.set(Acting(f"local:{os.getuid()}", "local", None, "", "", "server_init", (), is_owed=True))
    try:
        if names:
            _certify(chosen, names)
        made = await Tenants(AuditedStore(store, clock, sealer), clock).create_operator("init")
        await sealer.seal()
        return made
    finally:
        await store.close()


@server.group("config")
def config_group() -> None:
    """The service's settings."""


@config_group.command("show")
@config_option
@state_option
@configuration.origin_option
@configuration.format_option
def show_config(config: Path | None, state: Path | None, with_origin: bool, format_: str) -> None:
    """All settings as the service would have them, started like this. Secrets are not shown."""
    chosen, found = load_settings(config, state=state), settings.origins(config, state=state)
    configuration.show(chosen, found, with_origin=with_origin, format_=format_)
