"""Who this node is: written by `join`, read by everything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.files import write_durably
from agent.settings import STATE, Settings
from shared.ids import ClusterId, NodeId
from shared.protocol import EnrolAnswer

CREDENTIAL: Final = "node-credential"
OF_SERVICE: Final = Path("/etc/transcoder", CREDENTIAL)
_IDENTITY: Final = "node.json"
_AUTHORITIES: Final = "ca.pem"
NO_LABELS: Final[Mapping[str, str]] = {}


class NotJoined(Exception):
    """This machine has no node id, no address of a control plane, or no credential yet."""


class Identity(BaseModel):
    """The public half: everything but the credential."""

    model_config = ConfigDict(frozen=True)

    url: str
    node_id: NodeId
    cluster_id: ClusterId
    labels: dict[str, str] = Field(default_factory=dict, description="Given at `join`; those of the settings win.")


def is_joined(state: Path) -> bool:
    return (state / _IDENTITY).exists()


def remember(
    state: Path, url: str, answer: EnrolAnswer, *, ca: bytes | None = None, labels: Mapping[str, str] = NO_LABELS
) -> Identity:
    """Keep what `enrol` gave; the credential in a file of its own that only its owner can read."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    identity = Identity(url=url, node_id=answer.node_id, cluster_id=answer.cluster_id, labels=dict(labels))
    if ca is not None:
        write_durably(state / _AUTHORITIES, ca, mode=0o644)
    else:
        (state / _AUTHORITIES).unlink(missing_ok=True)
    write_durably(state / CREDENTIAL, answer.credential.encode() + b"\n")
    write_durably(state / _IDENTITY, identity.model_dump_json(indent=2).encode() + b"\n", mode=0o644)
    return identity


def read_identity(settings: Settings) -> Identity:
    path = settings.state / _IDENTITY
    try:
        identity = Identity.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NotJoined(f"{path} does not exist: run `transcoder agent join` first.") from None
    except (OSError, ValidationError) as error:
        raise NotJoined(f"{path} cannot be read: {error}") from error
    return identity.model_copy(update={"url": settings.url}) if settings.url else identity


def read_credential(settings: Settings) -> str:
    """The node's secret: the named file, else systemd's credential, else the one that `join` wrote, else the service's."""
    path = settings.credential_file or _credential_of_unit(settings) or _credential_at_rest(settings)
    try:
        return path.read_text().strip()
    except OSError as error:
        raise NotJoined(f"The node credential {path} cannot be read: {error.strerror}.") from error


def authorities(settings: Settings) -> Path | None:
    """Whom to trust: the named file, else the one that `join` was given, else (None) whom the system trusts."""
    joined_under = settings.state / _AUTHORITIES
    return settings.ca_file or (joined_under if joined_under.exists() else None)


def _credential_at_rest(settings: Settings) -> Path:
    """Where there is a service, only root can read it: to look at the node, or to drain it."""
    written = settings.state / CREDENTIAL
    return OF_SERVICE if settings.state == STATE and not written.exists() else written


def _credential_of_unit(settings: Settings) -> Path | None:
    path = settings.credentials_directory and settings.credentials_directory / CREDENTIAL
    return path if path and path.exists() else None
