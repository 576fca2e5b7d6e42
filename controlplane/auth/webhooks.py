"""Signatures of Standard Webhooks 1.0.0: https://www.standardwebhooks.com"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
_BYTES: Final = 32


def new_secret() -> bytes:
    return secrets.token_bytes(_BYTES)


def shown(secret: bytes) -> str:
    """As its owner keeps it."""
    return PREFIX + base64.b64encode(secret).decode()


def signatures(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """One for each secret: while a secret is replaced, whoever still has the old one is served too."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)
