"""Keys in a job document: of objects that it reads and writes encrypted.

A key is sent as it is, in base64. The service seals it before anything is kept, and answers with the sealed form, which stands
for the key in later jobs of the same tenant too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self, TypeVar, cast

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.jobspec.mismatch import mismatch
from shared.models import Sent

SEALING: Final = 1 + 12 + 16
"""Bytes by which a sealed key is longer: a version, a nonce, a tag."""

ModelT = TypeVar("ModelT", bound=BaseModel)
KindT = TypeVar("KindT", bound=BaseModel)


class EncryptionMode(StrEnum):
    AES_CBC_PKCS7 = "aes-cbc-pkcs7"
    AES_CTR = "aes-ctr"
    AES_GCM = "aes-gcm"  # the tag of 16 bytes follows the text


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise PydanticCustomError("base64", "This is no base64.") from error
    return text


Base64 = Annotated[str, Field(min_length=4, max_length=120), AfterValidator(_base64)]


class KeyMaterial(Sent):
    """What every kind of encryption needs; how long keys and vectors are, the kinds say themselves."""

    key: Base64 | None = Field(
        None, repr=False, description="Base64: the key itself, or as a job was answered with it."
    )
    key_md5: Base64 | None = Field(
        None, description="Base64 of the key's MD5 digest: a key that was garbled is refused."
    )
    initialization_vector: Base64 | None = Field(None, description="Base64.")

    key_lengths: ClassVar[tuple[int, ...]] = (16, 24, 32)
    vector_length: ClassVar[int] = 16

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.key is not None and len(decoded(self.key)) not in self._lengths_as_sent():
            bits = ", ".join(str(8 * length) for length in self.key_lengths)
            raise mismatch("key", f"The key has {bits} bits.")
        if self.key is not None and not self.is_sealed and self.key_md5 not in (None, digest(decoded(self.key))):
            raise mismatch("key_md5", "This is not the MD5 digest of the key.")
        if self.initialization_vector and len(decoded(self.initialization_vector)) != self.vector_length:
            raise mismatch("initialization_vector", f"The initialization vector has {self.vector_length} bytes.")
        return self

    @property
    def is_sealed(self) -> bool:
        return self.key is not None and len(decoded(self.key)) not in self.key_lengths

    def _lengths_as_sent(self) -> set[int]:
        return {*self.key_lengths, *(length + SEALING for length in self.key_lengths)}


class Decryption(KeyMaterial):
    """Of an object that is read."""

    mode: EncryptionMode = Field(description="The cipher, AES with a key of 128, 192 or 256 bits.")

    @model_validator(mode="after")
    def _is_given(self) -> Self:
        for field in ("key", "initialization_vector"):
            if getattr(self, field) is None:
                raise mismatch(field, "What is read encrypted needs its key and initialization vector.")
        return self


class Encryption(KeyMaterial):
    """Of what is written; without a key or a vector one is made, and the job is answered with it."""

    mode: EncryptionMode = Field(description="The cipher, AES with a key of 128, 192 or 256 bits.")


def may_hold_keys(document: str) -> bool:
    """Whether it is worth looking for them in a document's text."""
    return '"key_md5":' in document


def decoded(text: str) -> bytes:
    return base64.b64decode(text)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def digest(key: bytes) -> str:
    """As `key_md5` has it."""
    return encoded(hashlib.md5(key, usedforsecurity=False).digest())


def rewritten(model: ModelT, kind: type[KindT], change: Callable[[KindT, str], KindT]) -> ModelT:
    """A copy in which everything of a kind, wherever it is, is changed; the model itself where there is nothing.

    `change` is told where it is, as a JSON pointer.
    """
    return cast("ModelT", _changed(model, kind, change, ""))


def _changed(value: object, kind: type[KindT], change: Callable[[KindT, str], KindT], where: str) -> object:
    if isinstance(value, kind):
        return change(value, where)
    if isinstance(value, tuple):
        items = [(item, _changed(item, kind, change, f"{where}/{index}")) for index, item in enumerate(value)]
        return tuple(other for _, other in items) if any(one is not other for one, other in items) else value
    if not isinstance(value, BaseModel):
        return value
    fields = {name: getattr(value, name) for name in type(value).model_fields}
    others = {name: _changed(field, kind, change, f"{where}/{name}") for name, field in fields.items()}
    update = {name: other for name, other in others.items() if other is not fields[name]}
    return value.model_copy(update=update) if update else value
