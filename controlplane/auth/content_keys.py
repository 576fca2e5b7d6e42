"""Secrets that must be read again, sealed: who reads the database has none of them."""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import InvalidField

CONTENT_KEYS: Final = b"content keys"
"""Keys of tenants' content."""
ACCESS_KEYS: Final = b"access keys"
"""Secrets that requests are signed with."""
WEBHOOK_SECRETS: Final = b"webhook secrets"
TOPIC_KEY: Final = b"topic key"
"""What messages to others are signed with."""
_VERSION: Final = b"\x01"
_NONCE: Final = 12


class Seal:
    """Sealed are: a version, a nonce, and the key with its tag by AES-256-GCM, for one owner alone."""

    def __init__(self, secret: bytes, purpose: bytes = CONTENT_KEYS) -> None:
        """`secret` is the service's own; what seals is derived from it, for every purpose another."""
        self._cipher = AESGCM(HKDF(SHA256(), length=32, salt=None, info=purpose).derive(secret))

    def close(self, owner: str, key: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, key, owner.encode())

    def open(self, owner: str, sealed: bytes) -> bytes:
        """Raises InvalidField for what was not sealed here, or for somebody else."""
        nonce, text = sealed[len(_VERSION) : len(_VERSION) + _NONCE], sealed[len(_VERSION) + _NONCE :]
        try:
            if not sealed.startswith(_VERSION):
                raise InvalidTag
            return self._cipher.decrypt(nonce, text, owner.encode())
        except (InvalidTag, ValueError) as error:
            raise InvalidField("This key was not sealed by this service for this owner.", pointer="/key") from error
