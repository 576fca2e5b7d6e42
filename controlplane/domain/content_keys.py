"""Encryption as nodes are told of it. The keys stay sealed until then."""

from __future__ import annotations

from shared.jobspec.encryption import Decryption, Encryption, EncryptionMode, KeyMaterial
from shared.protocol import Cipher


def cipher(wanted: Decryption | Encryption | None) -> Cipher | None:
    """Of a document that is kept: its keys and vectors are there."""
    return None if wanted is None else cipher_of(wanted, wanted.mode)


def cipher_of(wanted: KeyMaterial, mode: EncryptionMode) -> Cipher:
    """The same, of what has no choice of modes."""
    assert wanted.key is not None
    assert wanted.initialization_vector is not None
    return Cipher(mode=mode, key=wanted.key, initialization_vector=wanted.initialization_vector)
