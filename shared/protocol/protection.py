"""How what a playlist names is encrypted. Keys travel here as they are: inside TLS, to the node that holds the lease."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from shared.models import Message


def _decoded(sent: object) -> object:
    return b64decode(sent, validate=True) if isinstance(sent, str) else sent


Raw = Annotated[
    bytes, BeforeValidator(_decoded), PlainSerializer(lambda raw: b64encode(raw).decode(), when_used="json")
]
"""Bytes, in base64 on the way."""


class SegmentProtection(Message):
    """AES-128 of whole segments, as HLS has it."""

    key: Annotated[Raw, Field(min_length=16, max_length=16, repr=False)]
    iv: Annotated[Raw, Field(min_length=16, max_length=16)] = Field(description="Of every segment.")
    url: str | None = Field(None, description="Where players get the key. Null: from an object beside the playlists.")
