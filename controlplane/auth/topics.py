"""Signatures of messages to topics, as Amazon SNS makes them: RSA over the members that a type of message has.

A verifier builds the same text, fetches the certificate from `SigningCertURL`, and checks `Signature` with its key: version 2
is SHA-256 with PKCS #1 v1.5.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

SIGNATURE_VERSION: Final = "2"
_LIFETIME: Final = dt.timedelta(days=3652)
_BITS: Final = 2048
_NAME: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Edge Transcoder notifications")])
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""What is signed of each type of message, in this order."""


def canonical(message: Mapping[str, str]) -> bytes:
    """The text that is signed: name and value of each member, a line for either."""
    members = [name for name in _MEMBERS[message["Type"]] if name in message]
    return "".join(f"{name}\n{message[name]}\n" for name in members).encode()


class TopicKey:
    """The service's own key, and the certificate that tells everybody its public half."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: bytes) -> None:
        self._key = key
        self.certificate = certificate
        """PEM."""
        self.name = hashlib.sha256(certificate).hexdigest()[:32]
        """Of the certificate's file: another certificate has another."""

    @classmethod
    def make(cls, now: dt.datetime) -> Self:
        """Takes a moment of a processor."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_NAME)
            .issuer_name(_NAME)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key, SHA256())
        )
        return cls(key, certificate.public_bytes(Encoding.PEM))

    @classmethod
    def read(cls, key: bytes, certificate: bytes) -> Self:
        loaded = load_der_private_key(key, password=None)
        assert isinstance(loaded, rsa.RSAPrivateKey), "no other kind is made"
        return cls(loaded, certificate)

    def private(self) -> bytes:
        """To be sealed."""
        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def signature(self, message: Mapping[str, str]) -> str:
        return base64.b64encode(self._key.sign(canonical(message), padding.PKCS1v15(), SHA256())).decode()
