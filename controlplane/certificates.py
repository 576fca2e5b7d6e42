"""An authority of our own, and the server's certificate that it signs: for services that have no other.

The authority's key is needed to sign only: kept elsewhere, the service runs on, and its certificate is renewed by bringing it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY: Final = "ca.pem"
AUTHORITY_KEY: Final = "ca.key"
SERVER: Final = "server.pem"
"""Certificate and key in one file, so that both are replaced at once."""

AUTHORITY_LIFE: Final = dt.timedelta(days=3652)
SERVER_LIFE: Final = dt.timedelta(days=397)
"""The longest that browsers accept."""
RENEWED_WITH: Final = SERVER_LIFE / 3
"""So much of its life left, a certificate is renewed."""
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
_SKEW: Final = dt.timedelta(hours=1)
"""A node's clock may be behind: it must not take a new certificate for one of tomorrow."""
_NAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)


class CertificateError(Exception):
    """Why it cannot be made, in words for the operator."""


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make(directory: Path, names: Sequence[str], now: dt.datetime) -> x509.Certificate:
    """A certificate for these names and addresses, or again for the names of the one there is; the authority the first time.

    Raises CertificateError. A service that runs takes it up by itself.
    """
    if not names:
        names = names_of(read_certificate(directory / SERVER))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / AUTHORITY).exists():
        made = authority(now)
        _write(directory / AUTHORITY_KEY, made.key_pem, mode=0o600)
        _write(directory / AUTHORITY, made.certificate_pem, mode=0o644)
    issued = server(names, _read_authority(directory), now)
    _write(directory / SERVER, issued.certificate_pem + issued.key_pem, mode=0o600)
    return issued.certificate


def renew_if_due(directory: Path, now: dt.datetime) -> x509.Certificate | None:
    """The new certificate; None when there is time, or the authority's key is kept elsewhere."""
    if not (directory / AUTHORITY_KEY).exists():
        return None
    if read_certificate(directory / SERVER).not_valid_after_utc - now > RENEWED_WITH:
        return None
    return make(directory, (), now)


def authority(now: dt.datetime) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    mark = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    subject = _named(f"Edge Transcoder authority {mark.digest.hex()[:8]}")
    certificate = (
        _begun(subject, subject, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(mark, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issued(certificate, key)


def server(names: Sequence[str], by: Issued, now: dt.datetime, life: dt.timedelta = SERVER_LIFE) -> Issued:
    """For these names and addresses, and for this machine's own loopback. Raises CertificateError for what is neither."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = [_general_name(name) for name in dict.fromkeys((*names, *_ALWAYS))]
    signer = by.key.public_key()
    certificate = (
        _begun(_named("Edge Transcoder"), by.certificate.subject, key, now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(called), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
        .sign(by.key, hashes.SHA256())
    )
    return Issued(certificate, key)


def names_of(certificate: x509.Certificate) -> list[str]:
    called = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in called]


def read_certificate(file: Path) -> x509.Certificate:
    """The first in a PEM file. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"There is no certificate in {file}; say by which names it is reached.") from error


def _read_authority(directory: Path) -> Issued:
    try:
        key = serialization.load_pem_private_key((directory / AUTHORITY_KEY).read_bytes(), password=None)
    except FileNotFoundError:
        raise CertificateError(f"The authority's key is not in {directory / AUTHORITY_KEY}: bring it back.") from None
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(f"The authority's key in {directory / AUTHORITY_KEY} cannot be read: {error}") from error
    certificate = read_certificate(directory / AUTHORITY)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CertificateError(f"{AUTHORITY_KEY} and {AUTHORITY} in {directory} do not belong together.")
    return Issued(certificate, key)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, life: dt.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if _NAME.fullmatch(name) is None or len(name) > 253:
            raise CertificateError(f"{name!r} is neither a host's name nor an address.") from None
        return x509.DNSName(name)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Whole and on disk, or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
