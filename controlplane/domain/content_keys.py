"""Encryption as nodes are told of it. The keys stay sealed until then."""

from __future__ import annotations

from shared.jobspec.encryption import Decryption, Encryption
from shared.protocol import Cipher


def cipher(wanted: Decryption | Encryption | None) -> Cipher | None:
    """Of a document that is kept: its keys and vectors are there."""
    if wanted is None:
        return None
    assert wanted.key is not None
    assert wanted.initialization_vector is not None
    return Cipher(mode=wanted.mode, key=wanted.key, initialization_vector=wanted.initialization_vector)
