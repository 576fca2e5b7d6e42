"""Encrypted inputs, outputs and thumbnails, read by other code than the service's."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as Block
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from agent.jobs.failure import AttemptFailed
from shared.failures import FailureCode
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import Cipher
from tests.fields import shows
from tests.media.encoding import ffprobe, transcoded
from tests.unit.agent.jobs.test_encryption import a_cipher, expected
from tests.unit.agent.media.builders import a_task, an_output, settings, thumbnails

pytestmark = pytest.mark.media

SMALL = settings(container="mp4", video={"codec": "h264", "max_width": 160, "max_height": 160}, audio={"codec": "aac"})


def opened(stored: bytes, cipher: Cipher, vector: str | None) -> bytes:
    """The text, by nothing of the service's own."""
    assert vector is not None
    key, first = base64.b64decode(cipher.key), base64.b64decode(vector)
    mode = {
        EncryptionMode.AES_CBC_PKCS7: lambda: modes.CBC(first),
        EncryptionMode.AES_CTR: lambda: modes.CTR(first),
        EncryptionMode.AES_GCM: lambda: modes.GCM(first, stored[-16:]),
    }[cipher.mode]()
    decryptor = Block(AES(key), mode).decryptor()
    body = stored[:-16] if cipher.mode is EncryptionMode.AES_GCM else stored
    text = decryptor.update(body) + decryptor.finalize()
    return text[: -text[-1]] if cipher.mode is EncryptionMode.AES_CBC_PKCS7 else text


@shows("inputs[].encryption", "outputs[].encryption", "outputs[].thumbnails.encryption")
@pytest.mark.parametrize(
    ("mode", "length"), [(EncryptionMode.AES_CBC_PKCS7, 16), (EncryptionMode.AES_CTR, 24), (EncryptionMode.AES_GCM, 32)]
)
def test_what_was_encrypted_is_read_and_what_is_made_is_encrypted(
    short: Path, tmp_path: Path, mode: EncryptionMode, length: int
) -> None:
    cipher = a_cipher(mode, length)
    source = tmp_path / "film.enc"
    source.write_bytes(expected(cipher, short.read_bytes()))
    pictures = thumbnails(1, format="png").model_copy(update={"encryption": cipher})
    task = a_task(an_output(SMALL, thumbnails=pictures, encryption=cipher))
    made = transcoded(tmp_path / "job", (source,), task, ciphers={0: cipher})
    assert made.failures == {}
    [film] = made.objects()
    plain = tmp_path / "plain.mp4"
    plain.write_bytes(opened((made.uploaded / film.name).read_bytes(), cipher, film.initialization_vector))
    assert [stream["codec_name"] for stream in ffprobe(plain)["streams"]] == ["h264", "aac"]
    assert made.outputs[0].size == film.size == made.file().stat().st_size
    assert film.initialization_vector == cipher.initialization_vector
    shown = made.objects(role="thumbnail")
    assert len(shown) == 2
    for one in shown:
        (tmp_path / "t.png").write_bytes(
            opened((made.uploaded / one.name).read_bytes(), cipher, one.initialization_vector)
        )
        assert ffprobe(tmp_path / "t.png")["streams"][0]["width"] == 192
    vectors = {one.initialization_vector for one in shown}
    assert len(vectors) == (1 if mode is EncryptionMode.AES_CBC_PKCS7 else 2)


def test_a_wrong_key_is_told_as_such(short: Path, tmp_path: Path) -> None:
    cipher = a_cipher(EncryptionMode.AES_GCM)
    source = tmp_path / "film.enc"
    source.write_bytes(expected(a_cipher(EncryptionMode.AES_GCM, key=b"another key here"), short.read_bytes()))
    with pytest.raises(AttemptFailed) as failed:
        transcoded(tmp_path / "job", (source,), a_task(an_output(SMALL)), ciphers={0: cipher})
    assert failed.value.failure.code is FailureCode.UNDECIPHERABLE
