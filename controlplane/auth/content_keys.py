"""Keys of tenants' content, sealed: who reads the database has none of them."""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import InvalidField
from shared.ids import TenantId

_VERSION: Final = b"\x01"
_NONCE: Final = 12


class Seal:
    """Sealed are: a version, a nonce, and the key with its tag by AES-256-GCM, for one tenant."""

    def __init__(self, secret: bytes) -> None:
        """`secret` is the service's own; what seals is derived from it."""
        self._cipher = AESGCM(HKDF(SHA256(), length=32, salt=None, info=b"content keys").derive(secret))

    def close(self, tenant_id: TenantId, key: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, key, tenant_id.encode())

    def open(self, tenant_id: TenantId, sealed: bytes) -> bytes:
        """Raises InvalidField for what was not sealed here, or for somebody else."""
        nonce, text = sealed[len(_VERSION) : len(_VERSION) + _NONCE], sealed[len(_VERSION) + _NONCE :]
        try:
            if not sealed.startswith(_VERSION):
                raise InvalidTag
            return self._cipher.decrypt(nonce, text, tenant_id.encode())
        except (InvalidTag, ValueError) as error:
            raise InvalidField("This key was not sealed by this service for this tenant.", pointer="/key") from error
