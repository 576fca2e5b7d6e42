"""Field types of the job document, each with the rule that it enforces."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_KEY_BYTES: Final = 1024
MAX_OUTPUT_KEY: Final = 255
MOST_SEGMENTS: Final = 64
"""Of a key: storages of directories walk through each of them, and everybody waits meanwhile."""


def _is_plain(key: str) -> bool:
    if key.isascii():
        return key.isprintable() and "\\" not in key
    return not any(unicodedata.category(char) in ("Cc", "Cs") or char == "\\" for char in key)


def object_key(key: str) -> str:
    """A key that names exactly one object on every storage: NFC, no control characters, no empty or dot segments."""
    if not _is_plain(key):
        raise PydanticCustomError("object_key", "A key has no control characters, lone surrogates or backslashes.")
    normal = unicodedata.normalize("NFC", key)
    if len(normal.encode()) > MAX_KEY_BYTES:
        raise PydanticCustomError("object_key", "A key has at most 1,024 bytes.")
    segments = normal.split("/")
    if len(segments) > MOST_SEGMENTS:
        raise PydanticCustomError("object_key", f"A key has at most {MOST_SEGMENTS} segments.")
    if any(segment in ("", ".", "..") for segment in segments):
        raise PydanticCustomError(
            "object_key", "A key has no empty, '.' or '..' segment, and neither starts nor ends with '/'."
        )
    if segments[0] == RESERVED_SEGMENT:
        raise PydanticCustomError("object_key", f"Keys below {RESERVED_SEGMENT!r} belong to the service.")
    return normal


def key_prefix(prefix: str) -> str:
    """What stands before every output key; empty, or like a key that may end with '/'."""
    return prefix and (object_key(prefix.removesuffix("/")) + ("/" if prefix.endswith("/") else ""))


RESERVED_SEGMENT: Final = ".transcoder"
"""The first segment of keys under which storages keep what is not published yet."""


def _short(key: str) -> str:
    """Checked after it was made normal, which can make it longer: what is kept must be readable again."""
    if len(key) > MAX_OUTPUT_KEY:
        raise PydanticCustomError("object_key", "An output key has at most 255 characters.")
    return key


ObjectKey = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(object_key)]
OutputKey = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(object_key), AfterValidator(_short)]
KeyPrefix = Annotated[str, Field(max_length=255), AfterValidator(key_prefix), AfterValidator(_short)]
ID_PATTERN: Final = r"^[0-9]{13}-[0-9A-Za-z_]{6}$"
TranscoderId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
ClientRequestToken = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e][\x20-\x7e]{0,63}$")]
MetadataKey = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z _.:/=+\-%@]{1,128}$")]
MetadataValue = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z _.:/=+\-%@]{0,256}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,40}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
BucketName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.\-]*[A-Za-z0-9])?$", max_length=255)]
LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.\-/]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{0,63}$")]
