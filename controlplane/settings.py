"""The control plane's settings: read once, checked before anything starts."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from controlplane.domain.retrying import Rules
from controlplane.domain.throttle import Operation
from controlplane.domain.trust import Breaker
from shared import configuration

DEFAULT_FILE = Path("/etc/transcoder/controlplane.toml")
DAY = 86_400.0
Seconds = Annotated[float, Field(gt=0)]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK: Final[tuple[Network, ...]] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class TlsFiles(NamedTuple):
    """PEM files; `own` is their directory where they were made for this service by an authority of its own."""

    certificate: Path
    key: Path
    own: Path | None


class Settings(BaseSettings):
    """From a TOML file, systemd credentials `transcoder_<name>`, and `TRANSCODER_<NAME>` in the environment, which wins.

    Durations are in seconds.
    """

    model_config = SettingsConfigDict(env_prefix="TRANSCODER_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="0 takes a free one.")
    public_url: str | None = Field(
        None, description="How tenants reach this service, for links; by default as they did."
    )
    state: Path = Field(Path("/var/lib/transcoder/controlplane"), description="Database, secret and default buckets.")
    database: SecretStr | None = Field(None, description="postgresql://…; a SQLite file below `state` when not given.")
    tls_certificate: Path | None = Field(
        None, description="PEM file, with the chain; by default the one that `server init --name` made."
    )
    tls_key: Path | None = Field(None, description="PEM file with the certificate's key.")
    tls_authority: Path | None = Field(
        None,
        description="PEM file with the authority that nodes are to trust, when their systems do not; "
        "its fingerprint travels in join tokens.",
    )
    certificate_check: Seconds = Field(30.0, description="Between two looks whether the certificate was replaced.")
    behind_proxy: bool = Field(False, description="A proxy in front ends TLS: plain HTTP beyond loopback is meant.")

    trusted_proxies: tuple[Network, ...] = Field(
        (), description="Whose `X-Forwarded-For` is believed; with `behind_proxy` loopback when empty."
    )
    max_connections_per_address: Annotated[int, Field(gt=0)] = Field(
        100, description="At once, held polls and event streams aside; an IPv6 /64 counts as one address."
    )
    max_held_per_address: Annotated[int, Field(gt=0)] = Field(10_000, description="Polls and event streams at once.")
    max_streams_per_tenant: Annotated[int, Field(gt=0)] = Field(
        500,
        description="Event streams at once: each looks at the database whenever something happens to anybody's jobs.",
    )
    header_timeout: Seconds = Field(
        10.0, description="Within which a request's head, and a TLS handshake, must arrive."
    )
    body_timeout: Seconds = Field(30.0, description="Within which a document must arrive; uploads may take any time.")
    stall_timeout: Seconds = Field(10.0, description="Over which a body or an answer must move at `slowest_rate`.")
    slowest_rate: Annotated[float, Field(gt=0)] = Field(
        1024.0, description="Bytes per second; slower callers are closed."
    )
    idle_timeout: Seconds = Field(75.0, description="How long a connection is kept between two requests.")

    bucket_roots: tuple[Path, ...] = Field(
        (), description="Below which tenants' `file` buckets may lie; `state`/buckets when empty."
    )
    create_buckets_on_first_use: bool = Field(
        False, description="A bucket that a pipeline of the dialects names, and that is none yet, is made."
    )
    link_lifetime: Seconds = Field(3600.0, description="Of links handed to tenants.")
    max_object_size: Annotated[int, Field(gt=0)] = Field(100 * 1024**3, description="Bytes.")
    max_document_size: Annotated[int, Field(gt=0)] = Field(256 * 1024, description="Bytes of a JSON request.")

    requests_per_minute: Annotated[int, Field(ge=1)] = Field(
        6000, description="Of each user for each of create, start, stop, read and list; a burst is a second's worth."
    )
    cancels_per_minute: Annotated[int, Field(ge=1)] = Field(6000, description="Of all users of a tenant together.")
    dialect_auth: Literal["signed", "key-only", "off"] = Field(
        "signed",
        description="How callers of the vendors' dialects are known: by their signatures; by the ids of their access keys "
        "alone; or not at all, on loopback only.",
    )
    dialect_region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] = Field(
        "us-east-1",
        description="The region in the names that dialects tell where a request names none; it may be signed for any.",
    )

    failures_per_minute: Annotated[int, Field(ge=1)] = Field(
        600, description="Wrong credentials from one address, before it is asked to wait."
    )

    beat_interval: Seconds = Field(10.0, description="Between two beats of a node, while there are few nodes.")
    beats_per_second: Seconds = Field(
        50.0, description="With more nodes than this times the interval, each beats more seldom."
    )
    lease: Seconds = Field(60.0, description="How long a node may be silent before its work is given to another.")
    accept_within: Seconds = Field(10.0, description="How long a granted lease waits to be accepted.")
    poll_wait: Seconds = Field(20.0, description="How long a poll is held.")
    progress_interval: Seconds = 1.0
    reap_interval: Seconds = 5.0
    amnesty: Annotated[float, Field(ge=0)] = Field(
        300.0, description="After a start, silence that began before it is forgiven this long."
    )
    brake_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.55, description="Of a cluster silent at once: then it is probably us."
    )
    brake: Annotated[float, Field(ge=0)] = Field(
        300.0, description="How long nothing of such a cluster is handed out again."
    )
    node_faults: Annotated[int, Field(ge=1)] = Field(
        10, description="Attempts of one job that may fail by their nodes' fault; they count for nothing else."
    )
    publish_within: Seconds = Field(
        3600.0, description="How long a storage that refuses results is tried again; then their job fails."
    )
    refuse_inputs_for: Annotated[float, Field(ge=0)] = Field(
        3600.0,
        description="How long an input that failed three times for one fault of its own fails at once; 0: never.",
    )
    breaker_faults: Annotated[int, Field(ge=1)] = Field(
        3, description="Faults of one node within `breaker_window` that set it aside."
    )
    breaker_window: Seconds = 600.0
    breaker_pause: Seconds = Field(
        300.0, description="How long a node that was set aside gets no work; then it is tried with one task."
    )
    outgoing_networks: tuple[Network, ...] = Field(
        (),
        description="Private networks that webhooks and topics may lead to, in clear as well; beyond, only public hosts.",
    )
    outgoing_authority: Path | None = Field(
        None, description="PEM file with authorities that webhooks and topics are trusted by, beside the system's."
    )
    delivery_timeout: Seconds = Field(15.0, description="Within which a webhook or a topic's endpoint must answer.")
    idempotency_window: Seconds = Field(86_400.0, description="How long a client request token is remembered.")
    sweep_interval: Seconds = Field(60.0, description="Between two removals of what is too old.")
    keep_jobs: Seconds = Field(184 * DAY, description="Jobs that have ended, and all that is told of them.")
    keep_events: Seconds = Field(92 * DAY, description="The histories of nodes, and of jobs that have ended.")
    keep_deliveries: Annotated[float, Field(ge=2 * DAY)] = Field(
        31 * DAY, description="What webhooks and topics were told, and how that went."
    )
    keep_logs: Seconds = Field(31 * DAY, description="What attempts said last.")
    keep_audit: Seconds = Field(366 * DAY, description="Rows of the audit log.")
    keep_join_tokens: Seconds = Field(7 * DAY, description="Join tokens that are used or over.")
    keep_uploads: Annotated[float, Field(ge=DAY)] = Field(
        DAY, description="Unfinished uploads after their last byte; their links are good for a day."
    )
    recount_interval: Seconds = Field(86_400.0, description="Between two recounts of what quotas count.")
    seal_interval: Seconds = Field(1.0, description="For which audit rows are gathered before they are sealed.")
    shutdown_grace: Seconds = Field(20.0, description="For requests in flight when the service stops.")

    @model_validator(mode="after")
    def _listens_safely(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if not self.is_loopback and self.tls is None and not self.behind_proxy:
            raise ValueError(
                f"refusing to listen on {self.host} without TLS: make a certificate (transcoder server certificate NAME), "
                "set tls_certificate and tls_key, or behind_proxy when a proxy in front ends TLS"
            )
        return self

    @model_validator(mode="after")
    def _knows_its_callers(self) -> Self:
        if self.dialect_auth == "off" and (not self.is_loopback or self.behind_proxy):
            raise ValueError("dialect_auth is off only on loopback, with no proxy in front: anybody could call")
        return self

    @model_validator(mode="after")
    def _keeps_what_tokens_name(self) -> Self:
        if self.keep_jobs < self.idempotency_window:
            raise ValueError("keep_jobs is at least idempotency_window: a token answers with the job that it made")
        return self

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def tls(self) -> TlsFiles | None:
        """The files named, else those made for this service, else none."""
        if self.tls_certificate is not None and self.tls_key is not None:
            return TlsFiles(self.tls_certificate, self.tls_key, None)
        made = self.own_certificates / "server.pem"
        return TlsFiles(made, made, self.own_certificates) if made.is_file() else None

    @property
    def own_certificates(self) -> Path:
        """Where an authority of our own and what it signed are kept."""
        return self.state / "tls"

    @property
    def rates(self) -> Mapping[Operation, int]:
        """Calls per minute by kind of operation."""
        return dict.fromkeys(Operation, self.requests_per_minute) | {Operation.CANCEL: self.cancels_per_minute}

    @property
    def proxies(self) -> tuple[Network, ...]:
        return self.trusted_proxies or (LOOPBACK if self.behind_proxy else ())

    @property
    def rules(self) -> Rules:
        window, pause = int(self.breaker_window * 1000), int(self.breaker_pause * 1000)
        breaker = Breaker(self.breaker_faults, window_ms=window, pause_ms=pause)
        return Rules(self.node_faults, int(self.publish_within * 1000), breaker)

    @property
    def allowed_roots(self) -> tuple[Path, ...]:
        return self.bucket_roots or (self.state / "buckets",)


def local(state: Path, port: int) -> Settings:
    """For a service on this machine alone: nothing of the machine's own configuration is read."""
    chosen = _reading(lambda arguments, environment: (arguments,))
    return chosen(state=state, port=port, create_buckets_on_first_use=True, outgoing_networks=LOOPBACK)


def load(file: Path | None = None, **overrides: Any) -> Settings:
    """Raises pydantic.ValidationError, which names each setting at fault, and FileNotFoundError for a named file."""
    if file is not None and not file.is_file():
        raise FileNotFoundError(file)
    toml, credentials = TomlConfigSettingsSource(Settings, file or DEFAULT_FILE), _credentials()
    given = {name: value for name, value in overrides.items() if value is not None}
    return _reading(lambda arguments, environment: (arguments, environment, *credentials, toml))(**given)


def origins(file: Path | None = None, **overrides: Any) -> dict[str, str]:
    """By setting, where `load` has its value from."""
    file = file or DEFAULT_FILE
    return configuration.origins(
        Settings,
        [
            ("argument", {name: value for name, value in overrides.items() if value is not None}),
            ("environment", EnvSettingsSource(Settings)()),
            *(("credential", source()) for source in _credentials()),
            (str(file), TomlConfigSettingsSource(Settings, file)()),
        ],
    )


def _credentials() -> tuple[SecretsSettingsSource, ...]:
    """What systemd hands to the service: a file `transcoder_<name>` holds a setting, so that secrets need no other place."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return (SecretsSettingsSource(Settings, directory),) if directory and os.path.isdir(directory) else ()


_Source = PydanticBaseSettingsSource


def _reading(chosen: Callable[[_Source, _Source], tuple[_Source, ...]]) -> type[Settings]:
    """Settings from just these sources; pydantic-settings takes them from a class."""

    class FromSources(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: _Source,
            env_settings: _Source,
            dotenv_settings: _Source,
            file_secret_settings: _Source,
        ) -> tuple[_Source, ...]:
            return chosen(init_settings, env_settings)

    return FromSources
