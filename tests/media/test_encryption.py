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
from shared.jobspec.captions import CaptionFormat, MergePolicy
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import CaptionFormatSpec, CaptionSourceSpec, Cipher, InputCaptionsSpec, OutputCaptionsSpec
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


@shows(
    "inputs[].encryption",
    "outputs[].encryption",
    "outputs[].thumbnails.encryption",
    "encryption.mode",
    "encryption.key",
    "encryption.initialization_vector",
)
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


@shows("inputs[].captions.sources[].encryption", "outputs[].captions.formats[].encryption")
def test_captions_are_read_and_written_encrypted(short: Path, tmp_path: Path) -> None:
    """Under one key with the film itself: every object has a vector of its own."""
    cipher = a_cipher(EncryptionMode.AES_CTR)
    text = b"1\n00:00:00,200 --> 00:00:00,700\nGood morning\n"
    for language in ("en", "de"):
        (tmp_path / language).write_bytes(expected(cipher, text))
    formats = (
        CaptionFormatSpec(format=CaptionFormat.SRT, pattern="{language}", encryption=cipher),
        CaptionFormatSpec(format=CaptionFormat.DFXP, pattern="{language}", encryption=cipher),
        CaptionFormatSpec(format=CaptionFormat.WEBVTT, pattern="{language}"),
    )
    sources = tuple(CaptionSourceSpec(input=place, language=one) for place, one in ((1, "en"), (2, "de")))
    told = InputCaptionsSpec(merge_policy=MergePolicy.OVERRIDE, sources=sources)
    task = a_task(an_output(SMALL, captions=OutputCaptionsSpec(formats=formats, own=told), encryption=cipher))
    objects = [short, tmp_path / "en", tmp_path / "de"]
    made = transcoded(tmp_path / "job", objects, task, ciphers={1: cipher, 2: cipher})
    assert made.failures == {}
    stored = {one.key: one for one in made.outputs[0].objects}
    for language in ("en", "de"):
        closed = stored[f"{language}00000.srt"]
        assert opened((made.uploaded / closed.name).read_bytes(), cipher, closed.initialization_vector) == text
        plain = stored[f"{language}00000.vtt"]
        assert plain.initialization_vector is None
        assert (made.uploaded / plain.name).read_bytes().startswith(b"WEBVTT")
    vectors = [one.initialization_vector for one in stored.values() if one.initialization_vector is not None]
    assert len(vectors) == len(set(vectors)) == 5
