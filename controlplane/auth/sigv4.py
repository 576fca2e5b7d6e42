"""AWS Signature Version 4, as a server checks it: over the method, path, query, headers and body just as they were sent.

Nothing is decoded on the way, so that two requests with one signature are one request. Region and service are those that the
client named: some name none that exists.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from shared.clock import read_http_date
from shared.errors import Unauthenticated

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"
SKEW: Final = dt.timedelta(minutes=5)
"""How far the client's clock may be off, and for how long a request is good."""
_NAMES: Final = ("Credential", "Signature", "SignedHeaders")
_MOMENT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_SIMPLE: Final = re.compile(r"[A-Za-z0-9\-._~/]*", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~%]*", re.ASCII)


class MissingSignature(Unauthenticated):
    """The request is not signed at all."""


class IncompleteSignature(Unauthenticated):
    """The `Authorization` header lacks something."""


class UnknownAccessKey(Unauthenticated):
    """There is no such key, or it is revoked or over."""


class WrongSignature(Unauthenticated):
    """Made with another secret, for another request, or at another time."""


class Claim(NamedTuple):
    """What an `Authorization` header says."""

    access_key_id: str
    scope: tuple[str, str, str]
    """Day, region and service."""
    signed_headers: str
    signature: str


class Head(NamedTuple):
    """A request without its body. `target` is the path with its query, `headers` are by name."""

    method: str
    target: str
    headers: Mapping[bytes, bytes]


def by_name(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by their names in small letters; one that came more than once with all its values."""
    found = {name.lower(): value for name, value in headers}
    if len(found) < len(headers):
        found = {
            name: b",".join(_trimmed(value) for other, value in headers if other.lower() == name) for name in found
        }
    return found


def claim(authorization: str | None) -> Claim:
    """Raises MissingSignature and IncompleteSignature."""
    if not authorization:
        raise MissingSignature("Missing Authentication Token")
    stated, _, signature = authorization.rpartition("Signature=")
    if stated.endswith((",", " ")) and signature.isalnum():  # at its end, as every client writes it
        key_id, scope, signed_headers, _ = _stated(stated)
        return Claim(key_id, scope, signed_headers, signature)
    return _claim(authorization)


def readable(authorization: str | None) -> Claim | None:
    """The same where it can be read."""
    try:
        return claim(authorization)
    except Unauthenticated:
        return None


@lru_cache(maxsize=1024)
def _stated(unsigned: str) -> Claim:
    """Of a header up to its signature: what a client says is the same all day."""
    return _claim(f"{unsigned}Signature=-")


def _claim(authorization: str) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise IncompleteSignature(f"Unsupported authorization: sign with {ALGORITHM}.")
    said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    missing = [name for name in _NAMES if not said.get(name)]
    if missing:
        raise IncompleteSignature(" ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    credential = said["Credential"].split("/")
    if len(credential) != 5 or credential[4] != TERMINATOR:
        raise IncompleteSignature(
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/{TERMINATOR}."
        )
    key_id, day, region, service, _ = credential
    return Claim(key_id, (day, region, service), said["SignedHeaders"], said["Signature"])


def claimed_id(authorization: str) -> str:
    """The access key id that a header names, as far as it can be read."""
    _, _, rest = authorization.partition("Credential=")
    return rest.partition("/")[0]


def check(claimed: Claim, secret: str, head: Head, body: bytes, now: dt.datetime) -> dt.datetime:
    """When it was signed. Raises WrongSignature and IncompleteSignature."""
    names = _names(claimed.signed_headers)
    moment = _moment(names, head.headers)
    _check_all_are_signed(names, head.headers)
    _check_time(claimed, moment, now)
    digest = hashlib.sha256(_canonical(claimed.signed_headers, names, head, body)).hexdigest()
    day, region, service = claimed.scope
    text = f"{ALGORITHM}\n{moment.told}\n{day}/{region}/{service}/{TERMINATOR}\n{digest}"
    expected = hmac.digest(signing_key(secret, day, region, service), text.encode(), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), claimed.signature.encode()):
        raise WrongSignature(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
            "Key and signing method. Consult the service documentation for details."
        )
    return moment.at


def _canonical(signed_headers: str, names: Sequence[bytes], head: Head, body: bytes) -> bytes:
    """The text of a request whose hash is signed; the body's own hash is in it, whatever a header says of that."""
    path, _, query = head.target.partition("?")
    lines = [head.method.encode(), _path(path).encode(), _query(query).encode()]
    for name in names:
        value = head.headers.get(name)
        if value is None:
            told = name.decode()
            raise WrongSignature(f"'{told}' is named as a SignedHeader, but it does not exist in the HTTP request.")
        lines.append(name + b":" + _trimmed(value))
    lines += [b"", signed_headers.encode(), hashlib.sha256(body).hexdigest().encode()]
    return b"\n".join(lines)


@lru_cache(maxsize=4096)
def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Good for a day: derived once, not for every request."""
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _trimmed(value: bytes) -> bytes:
    """As it is signed: without the spaces around it, and with those in it made single."""
    value = value.strip(b" ")
    return b" ".join(part for part in value.split(b" ") if part) if b"  " in value else value


@lru_cache(maxsize=1024)
def _names(signed_headers: str) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in signed_headers.split(";"))


def _path(sent: str) -> str:
    """Encoded once more than it was sent."""
    return sent if _SIMPLE.fullmatch(sent) else quote(sent, safe="/-._~")


def _query(sent: str) -> str:
    """Sorted; what clients send in plain but sign in percents is put into percents."""
    if not sent:
        return ""
    pairs = [pair.partition("=")[::2] for pair in sent.split("&")]
    return "&".join(f"{name}={value}" for name, value in sorted((_percented(name), _percented(v)) for name, v in pairs))


def _percented(part: str) -> str:
    return part if _PLAIN.fullmatch(part) else quote(part.replace("+", " "), safe="-._~%")


class _Moment(NamedTuple):
    """When a request was signed; `told` is how that stands in what is signed."""

    at: dt.datetime
    told: str


def _moment(names: Sequence[bytes], headers: Mapping[bytes, bytes]) -> _Moment:
    """By `X-Amz-Date`, or else `Date`. Host and that header must be signed themselves."""
    name = b"x-amz-date" if b"x-amz-date" in headers else b"date"
    for needed in (b"host", name):
        if needed not in names:
            raise _unsigned(needed)
    return _read_moment(_trimmed(headers.get(name, b"")))


@lru_cache(maxsize=256)
def _read_moment(sent: bytes) -> _Moment:
    said = sent.decode("latin-1")
    found = _MOMENT.fullmatch(said)
    try:
        at = dt.datetime(*map(int, found.groups()), tzinfo=dt.UTC) if found else read_http_date(said)  # type: ignore[arg-type, misc]
    except ValueError as error:
        raise IncompleteSignature("Date must be in ISO-8601 'basic format', or as RFC 9110 writes it.") from error
    return _Moment(at, _told(at))


def _check_all_are_signed(names: Sequence[bytes], headers: Mapping[bytes, bytes]) -> None:
    """Whatever is the vendor's own: between client and service nobody adds to it."""
    for name in headers:
        if name.startswith(b"x-amz-") and name not in names:
            raise _unsigned(name)


def _unsigned(name: bytes) -> WrongSignature:
    return WrongSignature(f"'{name.decode('latin-1')}' must be a 'SignedHeader' in the AWS Authorization.")


def _check_time(claimed: Claim, moment: _Moment, now: dt.datetime) -> None:
    at, told = moment
    if claimed.scope[0] != told[:8]:
        raise WrongSignature(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claimed.scope[0]}' != '{told[:8]}', from '{told}'."
        )
    if at < now - SKEW:
        raise WrongSignature(
            f"Signature expired: {told} is now earlier than {_told(now - SKEW)} ({_told(now)} - 5 min.)"
        )
    if at > now + SKEW:
        raise WrongSignature(
            f"Signature not yet current: {told} is still later than {_told(now + SKEW)} ({_told(now)} + 5 min.)"
        )


def _told(moment: dt.datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")
