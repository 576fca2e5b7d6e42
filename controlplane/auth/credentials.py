"""Secrets that people and nodes carry: `<kind>_<id>_<secret>_<checksum>`.

The prefix and the checksum let secret scanners find a leaked one. The secret has 256 random bits, so that a plain SHA-256 of
it can be stored; it is shown once and compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from typing import Final, NamedTuple

from shared.errors import Unauthenticated

API_KEY: Final = "etk"
NODE_CREDENTIAL: Final = "etn"
JOIN_TOKEN: Final = "etj"  # noqa: S105 (a prefix)


class Credential(NamedTuple):
    kind: str
    id: str
    secret: str

    @property
    def text(self) -> str:
        body = f"{self.kind}_{self.id}_{self.secret}"
        return f"{body}_{_checksum(body)}"

    @property
    def secret_hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()


def make(kind: str, holder_id: str) -> Credential:
    """`holder_id` has letters and digits only."""
    return Credential(kind, holder_id, secrets.token_hex(32))


def parse(text: str, kind: str) -> Credential:
    """Raises Unauthenticated for anything that is not a credential of this kind."""
    parts = text.split("_") if text.isascii() else []
    if len(parts) != 4 or parts[0] != kind or not hmac.compare_digest(_checksum("_".join(parts[:3])), parts[3]):
        raise Unauthenticated("The credential is not one of ours.")
    return Credential(*parts[:3])


def matches(credential: Credential, secret_hash: str) -> bool:
    return hmac.compare_digest(credential.secret_hash, secret_hash)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
