"""Objects under every mode and key length, against OpenSSL's one-shot ciphers."""

from __future__ import annotations

import base64
import os
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as Block
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7

from agent.jobs.encryption import PORTION, STRIDE, decrypt, encrypt, nth
from agent.jobs.failure import AttemptFailed
from shared.failures import Cause
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import Cipher

SIZES = (0, 1, 15, 16, 17, PORTION - 1, PORTION, PORTION + 16)
VECTOR = bytes(range(16))


def a_cipher(mode: EncryptionMode, length: int = 16, vector: bytes = VECTOR, key: bytes | None = None) -> Cipher:
    return Cipher(
        mode=mode,
        key=base64.b64encode(key or bytes(range(100, 100 + length))).decode(),
        initialization_vector=base64.b64encode(vector).decode(),
    )


def expected(cipher: Cipher, text: bytes) -> bytes:
    key, vector = base64.b64decode(cipher.key), base64.b64decode(cipher.initialization_vector)
    match cipher.mode:
        case EncryptionMode.AES_GCM:
            return AESGCM(key).encrypt(vector, text, None)
        case EncryptionMode.AES_CTR:
            encryptor = Block(AES(key), modes.CTR(vector)).encryptor()
            return encryptor.update(text) + encryptor.finalize()
        case EncryptionMode.AES_CBC_PKCS7:
            padder, encryptor = PKCS7(128).padder(), Block(AES(key), modes.CBC(vector)).encryptor()
            return encryptor.update(padder.update(text) + padder.finalize()) + encryptor.finalize()


@pytest.mark.parametrize("length", [16, 24, 32])
@pytest.mark.parametrize("mode", EncryptionMode)
def test_a_file_becomes_what_others_would_make_of_it_and_itself_again(
    tmp_path: Path, mode: EncryptionMode, length: int
) -> None:
    cipher = a_cipher(mode, length)
    for size in SIZES:
        text = os.urandom(size)
        file = tmp_path / "object"
        file.write_bytes(text)
        encrypt(file, cipher)
        assert file.read_bytes() == expected(cipher, text)
        decrypt(file, cipher)
        assert file.read_bytes() == text
    assert [path.name for path in tmp_path.iterdir()] == ["object"]


@pytest.mark.parametrize("mode", [EncryptionMode.AES_CBC_PKCS7, EncryptionMode.AES_GCM])
def test_another_key_is_told_and_leaves_the_file_as_it_is(tmp_path: Path, mode: EncryptionMode) -> None:
    file = tmp_path / "object"
    file.write_bytes(stored := expected(a_cipher(mode), b"text" * 1000))
    with pytest.raises(AttemptFailed) as failed:
        decrypt(file, a_cipher(mode, key=b"another key here"))
    assert failed.value.failure.cause is Cause.INPUT
    assert file.read_bytes() == stored
    assert [path.name for path in tmp_path.iterdir()] == ["object"]


@pytest.mark.parametrize("stored", [b"", b"short", bytes(15)])
def test_what_is_too_short_to_be_encrypted_is_told(tmp_path: Path, stored: bytes) -> None:
    for mode in (EncryptionMode.AES_CBC_PKCS7, EncryptionMode.AES_GCM):
        (tmp_path / "object").write_bytes(stored)
        with pytest.raises(AttemptFailed):
            decrypt(tmp_path / "object", a_cipher(mode))


def test_one_changed_bit_is_noticed_under_gcm(tmp_path: Path) -> None:
    stored = bytearray(expected(a_cipher(EncryptionMode.AES_GCM), b"text" * 1000))
    stored[2000] ^= 1
    (tmp_path / "object").write_bytes(stored)
    with pytest.raises(AttemptFailed):
        decrypt(tmp_path / "object", a_cipher(EncryptionMode.AES_GCM))


def test_the_first_of_several_objects_has_the_vector_of_the_job() -> None:
    for mode in EncryptionMode:
        assert nth(a_cipher(mode), 0) == a_cipher(mode)


@pytest.mark.parametrize("mode", [EncryptionMode.AES_CTR, EncryptionMode.AES_GCM])
def test_counters_of_several_objects_never_meet(mode: EncryptionMode) -> None:
    nearly_over = b"\xff" * 16
    vectors = [
        int.from_bytes(base64.b64decode(nth(a_cipher(mode, vector=nearly_over), number).initialization_vector), "big")
        for number in range(5)
    ]
    gaps = [(later - earlier) % (1 << 128) for earlier, later in pairwise(vectors)]
    assert gaps == [STRIDE] * 4


def test_under_cbc_all_objects_have_the_vector_of_the_job() -> None:
    cipher = a_cipher(EncryptionMode.AES_CBC_PKCS7)
    assert nth(cipher, 7) == cipher


def test_a_cipher_shows_its_key_to_nobody() -> None:
    assert a_cipher(EncryptionMode.AES_CTR).key not in repr(a_cipher(EncryptionMode.AES_CTR))
