"""Keys in job documents: sealed before they are kept, opened when a node needs them or their owner asks."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TypeVar

from controlplane.auth.content_keys import Seal
from shared.errors import InvalidField
from shared.ids import TenantId
from shared.jobspec import JobDocument
from shared.jobspec.encryption import KeyMaterial, decoded, digest, encoded, rewritten
from shared.models import Message
from shared.protocol import Cipher

MessageT = TypeVar("MessageT", bound=Message)


@dataclass(frozen=True)
class RevealedKey:
    pointer: str
    """Where in the document it is."""
    key: bytes = field(repr=False)
    initialization_vector: str


class ContentKeys:
    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def kept(self, tenant_id: TenantId, document: JobDocument) -> JobDocument:
        """The document with every key sealed and whatever was left out made. Raises InvalidField."""

        def completed(material: KeyMaterial, where: str) -> KeyMaterial:
            try:
                return self._completed(tenant_id, material)
            except InvalidField as error:
                raise InvalidField(error.detail, pointer=f"{where}{error.pointer}") from error

        return rewritten(document, KeyMaterial, completed)

    def told(self, tenant_id: TenantId, message: MessageT) -> MessageT:
        """For a node, which works with the keys themselves."""

        def opened(cipher: Cipher, _: str) -> Cipher:
            return cipher.model_copy(update={"key": encoded(self.open(tenant_id, cipher.key))})

        return rewritten(message, Cipher, opened)

    def revealed(self, tenant_id: TenantId, document: JobDocument) -> list[RevealedKey]:
        """Every key in a document that was kept. Raises InvalidField."""
        found: list[RevealedKey] = []

        def reveal(material: KeyMaterial, where: str) -> KeyMaterial:
            if material.key is not None:
                key = self.open(tenant_id, material.key)
                found.append(RevealedKey(where, key, material.initialization_vector or ""))
            return material

        rewritten(document, KeyMaterial, reveal)
        return found

    def open(self, tenant_id: TenantId, sealed: str) -> bytes:
        """Raises InvalidField."""
        return self._seal.open(tenant_id, decoded(sealed))

    def _completed(self, tenant_id: TenantId, material: KeyMaterial) -> KeyMaterial:
        if material.key is None:
            key = secrets.token_bytes(max(material.key_lengths))
        else:
            key = self.open(tenant_id, material.key) if material.is_sealed else decoded(material.key)
        if material.key_md5 not in (None, digest(key)):
            raise InvalidField("This is not the MD5 digest of the key.", pointer="/key_md5")
        made = {
            "key": encoded(self._seal.close(tenant_id, key)),
            "key_md5": digest(key),
            "initialization_vector": material.initialization_vector
            or encoded(secrets.token_bytes(material.vector_length)),
        }
        return material.model_copy(update=made)
