"""What an agent is told by its owner: read once, by the command, before anything starts."""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ByteSize, Field, PlainSerializer, StringConstraints
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared import configuration

CONFIG_FILE: Final = Path("/etc/transcoder/agent.toml")
STATE: Final = Path("/var/lib/transcoder/agent")
"""Of the service."""


def _seconds(value: object) -> object:
    """Plain numbers are seconds, also where they come as text (from the environment)."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[dt.timedelta, BeforeValidator(_seconds), PlainSerializer(dt.timedelta.total_seconds)]
LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.\-/]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{0,63}$")]


class Settings(BaseSettings):
    """Arguments of the command win over `TRANSCODER_AGENT_…` variables, those over the TOML file, that over the defaults."""

    model_config = SettingsConfigDict(env_prefix="TRANSCODER_AGENT_", frozen=True, extra="forbid")

    url: str | None = Field(None, description="The control plane, when it is not the one that was joined.")
    state: Path = Field(STATE, description="Directory of everything the agent keeps.")
    credential_file: Path | None = Field(
        None,
        description="The node's secret; by default systemd's credential `node-credential`, else the one that `join` wrote.",
    )
    credentials_directory: Path | None = Field(
        None, validation_alias="CREDENTIALS_DIRECTORY", description="Where systemd puts the unit's credentials."
    )
    ca_file: Path | None = Field(None, description="PEM file with the authorities to trust instead of the system's.")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Properties that jobs may ask for.")
    insecure_unconfined: bool = Field(False, description="Run ffmpeg without a sandbox where none can be made.")
    drain_grace: Duration = Field(
        dt.timedelta(seconds=90), description="How long running work may go on after the first TERM."
    )
    report_grace: Duration = Field(
        dt.timedelta(seconds=10),
        description="How long the last reports are tried at the end; what is left is kept on disk.",
    )
    max_cpu_threads: int | None = Field(None, ge=1, description="Threads to offer at most.")
    max_memory: ByteSize | None = Field(None, description="Memory to offer at most.")
    max_nvenc_sessions: int = Field(8, ge=1, description="Hardware encodes to offer at most on each card.")
    max_pixel_rate: int | None = Field(
        None, ge=1, description="Pixels per second (width × height × frames) to take on at once; by default no bound."
    )
    scratch_reserve: ByteSize | None = Field(
        None, description="Disk space that work never gets, in bytes; by default 5 GiB, or a tenth of a smaller disk."
    )
    stall_starting: Duration = Field(
        dt.timedelta(seconds=120), description="How long ffmpeg may stand still before its first frame."
    )
    stall_working: Duration = Field(
        dt.timedelta(seconds=60),
        description="How long it may stand still, without media time and processor time, before it is ended.",
    )
    stall_finishing: Duration = Field(
        dt.timedelta(seconds=300), description="How long it may stand still while it writes indexes at the end."
    )


def load(config: Path | None = CONFIG_FILE, **arguments: Any) -> Settings:
    """The settings of this process; arguments that are None were not given."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return _with_file(_read(config))(**given)


def origins(config: Path | None = CONFIG_FILE, **arguments: Any) -> dict[str, str]:
    """By setting, where `load` has its value from."""
    return configuration.origins(
        Settings,
        [
            ("argument", {name: value for name, value in arguments.items() if value is not None}),
            ("environment", EnvSettingsSource(Settings)()),
            (str(config), _read(config)),
        ],
    )


def _with_file(content: dict[str, Any]) -> type[Settings]:
    """Settings that fall back on the content of a file; pydantic-settings takes its sources from a class."""

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, content)

    return FromFile


def _read(config: Path | None) -> dict[str, Any]:
    if config is None or not os.access(config, os.R_OK):
        return {}
    return tomllib.loads(config.read_text())
