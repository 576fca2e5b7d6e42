"""Objects that are encrypted: made readable when they were fetched, unreadable before they are uploaded.

ffmpeg never sees a key. Files are worked through in portions; what takes the place of a file is whole before it does.
"""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Block
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7

from agent.jobs.draining import Draining
from agent.jobs.failure import AttemptFailed
from agent.media import Package
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec.captions import extension
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import CaptionFormatSpec, Cipher, OutputResult, OutputSpec, ProducedObject, TranscodeFile

PORTION: Final = 1 << 20
TAG: Final = 16
"""Bytes after a text in GCM."""
STRIDE: Final = 1 << 64
"""From the vector of one object to that of the next under the same key: more blocks than any object has."""

UNDECIPHERABLE: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.UNDECIPHERABLE,
    message="An encrypted object cannot be read with the key, initialization vector and mode that the job gives for it.",
)


class Step(Protocol):
    def update(self, data: bytes, /) -> bytes: ...
    def finalize(self) -> bytes: ...


def decrypt(file: Path, cipher: Cipher) -> None:
    """In place. Raises AttemptFailed where padding or tag show that the key is not the right one."""
    size = file.stat().st_size
    try:
        _rewrite(file, _decryptor(cipher, file, size), size - (TAG if cipher.mode is EncryptionMode.AES_GCM else 0))
    except (InvalidTag, ValueError) as error:
        raise AttemptFailed(UNDECIPHERABLE) from error


def encrypt(file: Path, cipher: Cipher) -> None:
    """In place."""
    _rewrite(file, _encryptor(cipher), file.stat().st_size)


def encrypted(task: TranscodeFile, packed: Package, out: Path) -> Package:
    """The package with everything in `out` encrypted that is to be."""
    specs = {spec.index: spec for spec in task.outputs}
    outputs = tuple(_of_output(specs[result.index], result, out) for result in packed.outputs)
    return replace(packed, outputs=outputs)


def nth(cipher: Cipher, number: int) -> Cipher:
    """For the object with this number of several under one key: counters must never meet. CBC counts nothing."""
    if number == 0 or cipher.mode is EncryptionMode.AES_CBC_PKCS7:
        return cipher
    first = int.from_bytes(base64.b64decode(cipher.initialization_vector), "big")
    vector = (first + number * STRIDE) % (1 << 128)
    return cipher.model_copy(update={"initialization_vector": base64.b64encode(vector.to_bytes(16, "big")).decode()})


def _of_output(spec: OutputSpec, result: OutputResult, out: Path) -> OutputResult:
    ciphers: dict[str, Cipher | None] = {
        "media": spec.encryption,
        "thumbnail": spec.thumbnails.encryption if spec.thumbnails is not None else None,
        **{extension(wanted.format, spec.settings.container): wanted.encryption for wanted in _sidecars(spec)},
    }
    counts: Counter[tuple[str, str]] = Counter()
    objects: list[ProducedObject] = []
    for made in result.objects:
        kind = made.key.rpartition(".")[2] if made.role == "captions" else made.role
        cipher = ciphers.get(kind)
        if cipher is None:
            objects.append(made)
            continue
        under = (cipher.key, cipher.initialization_vector)
        own = nth(cipher, counts[under])
        counts[under] += 1
        encrypt(out / made.name, own)
        size = (out / made.name).stat().st_size
        objects.append(made.model_copy(update={"size": size, "initialization_vector": own.initialization_vector}))
    sizes = [made.size for made in objects if made.role == "media"]
    return result.model_copy(update={"objects": tuple(objects), "size": sizes[0] if spec.encryption else result.size})


def _sidecars(spec: OutputSpec) -> list[CaptionFormatSpec]:
    formats = spec.captions.formats if spec.captions is not None else ()
    return [wanted for wanted in formats if wanted.pattern is not None]


@dataclass
class _Padded:
    """Text that is filled up to whole blocks on its way."""

    padder: Step
    cipher: Step

    def update(self, data: bytes, /) -> bytes:
        return self.cipher.update(self.padder.update(data))

    def finalize(self) -> bytes:
        return self.cipher.update(self.padder.finalize()) + self.cipher.finalize()


@dataclass
class _Unpadded:
    cipher: Step
    unpadder: Step

    def update(self, data: bytes, /) -> bytes:
        return self.unpadder.update(self.cipher.update(data))

    def finalize(self) -> bytes:
        return self.unpadder.update(self.cipher.finalize()) + self.unpadder.finalize()


@dataclass
class _Tagged:
    """The tag follows the text."""

    cipher: Step
    tag: Callable[[], bytes]

    def update(self, data: bytes, /) -> bytes:
        return self.cipher.update(data)

    def finalize(self) -> bytes:
        return self.cipher.finalize() + self.tag()


def _encryptor(cipher: Cipher) -> Step:
    key, vector = AES(base64.b64decode(cipher.key)), base64.b64decode(cipher.initialization_vector)
    match cipher.mode:
        case EncryptionMode.AES_CBC_PKCS7:
            return _Padded(PKCS7(128).padder(), Block(key, modes.CBC(vector)).encryptor())
        case EncryptionMode.AES_CTR:
            return Block(key, modes.CTR(vector)).encryptor()
        case EncryptionMode.AES_GCM:
            authenticated = Block(key, modes.GCM(vector)).encryptor()
            return _Tagged(authenticated, lambda: authenticated.tag)


def _decryptor(cipher: Cipher, file: Path, size: int) -> Step:
    key, vector = AES(base64.b64decode(cipher.key)), base64.b64decode(cipher.initialization_vector)
    match cipher.mode:
        case EncryptionMode.AES_CBC_PKCS7:
            return _Unpadded(Block(key, modes.CBC(vector)).decryptor(), PKCS7(128).unpadder())
        case EncryptionMode.AES_CTR:
            return Block(key, modes.CTR(vector)).decryptor()
        case EncryptionMode.AES_GCM:
            with file.open("rb") as content:
                content.seek(max(0, size - TAG))
                return Block(key, modes.GCM(vector, content.read(TAG))).decryptor()


def _rewrite(file: Path, step: Step, size: int) -> None:
    """What the first `size` bytes become. The file gives back its room meanwhile: it is lost where this goes wrong."""
    becoming = file.with_name(f"{file.name}.becoming")
    try:
        with file.open("r+b") as source, open(becoming, "xb", opener=_private) as target:
            draining = Draining(source)
            target.writelines(
                step.update(draining.take(at, min(PORTION, size - at))) for at in range(0, max(0, size), PORTION)
            )
            target.write(step.finalize())
        becoming.replace(file)
    finally:
        becoming.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
