"""What an operator carries to a new node: the one-time secret, and by whose certificate the control plane is known.

    etj_<id>_<secret>_<checksum>                      trusted as the node's system trusts
    etj_<id>_<secret>_<checksum>.<fingerprint>        trusted by an authority of its own

The fingerprint is the SHA-256 of the authority's certificate. With it the node's first contact needs no file: it asks
`GET /agent/v1/authority` of anybody who answers, and keeps the certificate only when it has this fingerprint.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

PREFIX: Final = "etj_"
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class JoinToken(NamedTuple):
    secret: str
    """All that is ever sent to the control plane."""
    authority: str | None = None

    @property
    def text(self) -> str:
        return f"{self.secret}.{self.authority}" if self.authority else self.secret

    @classmethod
    def parse(cls, text: str) -> Self:
        secret, _, authority = text.strip().partition(".")
        return cls(secret, authority or None)


def fingerprint(pem: bytes) -> str | None:
    """Of the first certificate in a PEM file; None when there is none."""
    return next((_digest(der) for der in _certificates(pem)), None)


def vouched_for(pem: bytes, authority: str) -> bytes | None:
    """The certificate with this fingerprint and nothing else: what came with it may be anybody's."""
    for der in _certificates(pem):
        if hmac.compare_digest(_digest(der), authority.lower()):
            return ssl.DER_cert_to_PEM_cert(der).encode()
    return None


def _certificates(pem: bytes) -> Iterator[bytes]:
    for found in _CERTIFICATE.finditer(pem):
        with contextlib.suppress(binascii.Error):
            yield base64.b64decode(b"".join(found[1].split()), validate=True)


def _digest(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()
