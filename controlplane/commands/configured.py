"""What the commands have in common that read the service's own settings."""

from __future__ import annotations

from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Final

import click
from pydantic import ValidationError

from controlplane import settings
from shared import configuration

config_option: Final = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help=f"Settings; {settings.DEFAULT_FILE} by default."
)
state_option: Final = click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path), help="Where everything is kept."
)


def load_settings(config: Path | None, **given: object) -> settings.Settings:
    """Exits with a sentence for each setting that is wrong."""
    try:
        return settings.load(config, **given)
    except FileNotFoundError as error:
        raise click.ClickException(f"There is no file {error}.") from error
    except (ValidationError, TOMLDecodeError) as error:
        raise click.ClickException(configuration.faults(error, config or settings.DEFAULT_FILE)) from error


def settings_before_tls(config: Path | None, state: Path | None) -> settings.Settings:
    """The settings may wait for the very certificate that is to be made: nothing listens here."""
    return load_settings(config, state=state, behind_proxy=True)
